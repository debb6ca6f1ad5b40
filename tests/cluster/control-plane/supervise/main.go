// Command supervise ties a process to the life of the process that started it.
//
//	supervise COMMAND [ARGUMENT]...
//	supervise -remove FOLDER
//
// The first form runs COMMAND in a process group of its own and stays its
// parent. The starter holds the other end of supervise's standard input:
//
//   - a line TERM, INT, HUP, STOP, CONT or KILL sends that signal to the group;
//   - the end of input kills the group. It comes when the starter closes its end
//     and just as well when the starter crashes or is killed.
//
// SIGTERM, SIGINT and SIGHUP sent to supervise are passed on. When supervise
// itself is killed, the kernel kills COMMAND (Linux only). supervise ends as
// COMMAND does: with its exit code, or 128 plus the number of the signal that
// ended it; 127 when COMMAND cannot be started.
//
// The second form removes FOLDER at the end of input, and says so by ending:
// the folder of a test disappears also when the test crashed.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

const (
	exitUsage    = 2
	exitNotFound = 127
	exitSignal   = 128
)

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM,
	"INT":  syscall.SIGINT,
	"HUP":  syscall.SIGHUP,
	"STOP": syscall.SIGSTOP,
	"CONT": syscall.SIGCONT,
	"KILL": syscall.SIGKILL,
}

func init() {
	// The kernel ties a death signal to the thread that forked, not to the
	// process: keep main on its thread, which lives as long as the process.
	runtime.LockOSThread()
}

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 2 && arguments[0] == "-remove":
		os.Exit(removeAtEnd(arguments[1]))
	case len(arguments) > 0 && arguments[0] != "-remove":
		os.Exit(run(arguments[0], arguments[1:]))
	default:
		fmt.Fprintln(os.Stderr, "usage: supervise COMMAND [ARGUMENT]... | supervise -remove FOLDER")
		os.Exit(exitUsage)
	}
}

func run(name string, arguments []string) int {
	// Listen before the child exists, so that no signal is lost.
	forwarded := make(chan os.Signal, 8)
	signal.Notify(forwarded, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)

	child := exec.Command(name, arguments...)
	child.Stdout = os.Stdout
	child.Stderr = os.Stderr
	child.SysProcAttr = childAttributes()
	if err := child.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "supervise: %v\n", err)
		return exitNotFound
	}
	group := -child.Process.Pid

	go func() {
		for caught := range forwarded {
			_ = syscall.Kill(group, caught.(syscall.Signal))
		}
	}()
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if wanted, known := signals[lines.Text()]; known {
				_ = syscall.Kill(group, wanted)
			} else {
				fmt.Fprintf(os.Stderr, "supervise: unknown order %q\n", lines.Text())
			}
		}
		_ = syscall.Kill(group, syscall.SIGKILL)
	}()

	err := child.Wait()
	// What the child itself started and left behind.
	_ = syscall.Kill(group, syscall.SIGKILL)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		fmt.Fprintf(os.Stderr, "supervise: %v\n", err)
		return exitNotFound
	case exit.Sys().(syscall.WaitStatus).Signaled():
		return exitSignal + int(exit.Sys().(syscall.WaitStatus).Signal())
	default:
		return exit.ExitCode()
	}
}

// removeAtEnd ignores the signals of a terminal: whoever interrupts the tests
// must not keep their folders.
func removeAtEnd(folder string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
	}
	// After a crash the processes that write there are being killed just now.
	var err error
	for attempt := 0; attempt < 50; attempt++ {
		if err = os.RemoveAll(folder); err == nil {
			return 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "supervise: %v\n", err)
	return 1
}
