// Command health runs health checks in Lua as Argo CD runs them: health FOLDER, where health.lua, health_test.yaml and
// what it names lie, in the layout of Argo CD's resource_customizations.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	lua "github.com/yuin/gopher-lua"
	"go.yaml.in/yaml/v3"
)

type testFile struct {
	Tests []struct {
		HealthStatus struct {
			Status  string `yaml:"status"`
			Message string `yaml:"message"`
		} `yaml:"healthStatus"`
		InputPath string `yaml:"inputPath"`
	} `yaml:"tests"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: health FOLDER")
		os.Exit(2)
	}
	if err := test(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func test(folder string) error {
	script, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		return err
	}
	var file testFile
	if err := read(filepath.Join(folder, "health_test.yaml"), &file); err != nil {
		return err
	}
	var failed []error
	for _, test := range file.Tests {
		var object map[string]any
		if err := read(filepath.Join(folder, test.InputPath), &object); err != nil {
			return err
		}
		status, message, err := health(string(script), object)
		if err != nil {
			return fmt.Errorf("%s: %w", test.InputPath, err)
		}
		if status != test.HealthStatus.Status || message != test.HealthStatus.Message {
			failed = append(failed, fmt.Errorf("%s: is %s, %q and should be %s, %q",
				test.InputPath, status, message, test.HealthStatus.Status, test.HealthStatus.Message))
		}
	}
	fmt.Println(len(file.Tests), "cases")
	return errors.Join(failed...)
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// health runs a script on an object: no library but the basic one and that of tables, the object as global `obj`.
func health(script string, object map[string]any) (status, message string, err error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// The first must be the package library.
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return "", "", err
		}
	}
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returned no table but a %s", state.Get(-1).Type())
	}
	text := func(key string) string { return lua.LVAsString(table.RawGetString(key)) }
	return text("status"), text("message"), nil
}

// value is a decoded YAML value in Lua.
func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case string:
		return lua.LString(from)
	case int:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case []any:
		table := state.CreateTable(len(from), 0)
		for _, element := range from {
			table.Append(value(state, element))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, element := range from {
			table.RawSetString(key, value(state, element))
		}
		return table
	default:
		return lua.LNil
	}
}
