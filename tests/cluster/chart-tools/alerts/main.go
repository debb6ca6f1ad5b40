// Command alerts evaluates alerts with Prometheus' own rule engine.
//
//	alerts test CASES         the cases of a file for `promtool test rules`, of which it reads rule files, names,
//	                          intervals, input series and alert tests
//	alerts metrics FILE...    the names of all metrics in the expressions of rule files and dashboards, one a line
//
// promtool itself brings the client of every cloud and takes ten times as long to build.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

type caseFile struct {
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	RuleFiles          []string       `yaml:"rule_files"`
	Tests              []struct {
		Name        string         `yaml:"name"`
		Interval    model.Duration `yaml:"interval"`
		InputSeries []struct {
			Series string `yaml:"series"`
			Values string `yaml:"values"`
		} `yaml:"input_series"`
		AlertRuleTest []alertTest `yaml:"alert_rule_test"`
	} `yaml:"tests"`
}

type alertTest struct {
	EvalTime  model.Duration `yaml:"eval_time"`
	Alertname string         `yaml:"alertname"`
	ExpAlerts []struct {
		ExpLabels      map[string]string `yaml:"exp_labels"`
		ExpAnnotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "test":
		err = test(os.Args[2])
	case len(os.Args) >= 3 && os.Args[1] == "metrics":
		err = metrics(os.Args[2:])
	default:
		err = errors.New("usage: alerts test CASES | alerts metrics FILE...")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func test(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var cases caseFile
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cases); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var ruleFiles []string
	for _, file := range cases.RuleFiles {
		ruleFiles = append(ruleFiles, filepath.Join(filepath.Dir(path), file))
	}
	var failed []error
	for _, group := range cases.Tests {
		load := "load " + group.Interval.String() + "\n"
		for _, series := range group.InputSeries {
			load += "  " + series.Series + " " + series.Values + "\n"
		}
		if err := evaluate(ruleFiles, load, time.Duration(cases.EvaluationInterval), group.AlertRuleTest); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", group.Name, err))
		}
	}
	return errors.Join(failed...)
}

// evaluate lets the rules run over the series, and compares at the times of the tests what fires.
func evaluate(ruleFiles []string, load string, step time.Duration, tests []alertTest) (err error) {
	suite, err := promqltest.NewLazyLoader(load, promqltest.LazyLoaderOpts{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, suite.Close()) }()
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:    rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()),
		AppendableV2: suite.Storage(),
		Context:      context.Background(),
		NotifyFunc:   func(context.Context, string, ...*rules.Alert) {},
		Logger:       promslog.NewNopLogger(),
	})
	groups, errs := manager.LoadGroups(step, labels.EmptyLabels(), "", nil, false, ruleFiles...)
	if errs != nil {
		return errors.Join(errs...)
	}
	var last time.Duration
	for _, test := range tests {
		last = max(last, time.Duration(test.EvalTime))
	}
	var failed []error
	for at := time.Duration(0); at <= last; at += step {
		now := time.Unix(0, 0).UTC().Add(at)
		suite.WithSamplesTill(now, func(err error) {
			if err != nil {
				failed = append(failed, err)
				return
			}
			for _, group := range groups {
				group.Eval(suite.Context(), now)
				for _, rule := range group.Rules() {
					if rule.LastError() != nil {
						failed = append(failed, fmt.Errorf("%s at %s: %w", rule.Name(), at, rule.LastError()))
					}
				}
			}
		})
		for _, test := range tests {
			if time.Duration(test.EvalTime) != at {
				continue
			}
			if found, wanted := firing(groups, test.Alertname), expected(test); found != wanted {
				failed = append(failed, fmt.Errorf("%s at %s: fires\n%sand should\n%s", test.Alertname, at, found, wanted))
			}
		}
	}
	return errors.Join(failed...)
}

func firing(groups map[string]*rules.Group, name string) string {
	var lines []string
	for _, group := range groups {
		for _, rule := range group.Rules() {
			alerting, ok := rule.(*rules.AlertingRule)
			if !ok || alerting.Name() != name {
				continue
			}
			for _, alert := range alerting.ActiveAlerts() {
				if alert.State == rules.StateFiring {
					lines = append(lines, line(alert.Labels, alert.Annotations))
				}
			}
		}
	}
	return sorted(lines)
}

func expected(test alertTest) string {
	var lines []string
	for _, alert := range test.ExpAlerts {
		all := labels.NewBuilder(labels.FromMap(alert.ExpLabels)).Set(labels.AlertName, test.Alertname).Labels()
		lines = append(lines, line(all, labels.FromMap(alert.ExpAnnotations)))
	}
	return sorted(lines)
}

func line(all, annotations labels.Labels) string {
	return "  " + all.String() + " " + annotations.String() + "\n"
}

func sorted(lines []string) string {
	sort.Strings(lines)
	return strings.Join(lines, "")
}

func metrics(paths []string) error {
	names := map[string]struct{}{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// JSON is YAML.
		var content any
		if err := yaml.Unmarshal(text, &content); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, expression := range expressions(content) {
			parsed, err := parser.NewParser(parser.Options{}).ParseExpr(strings.ReplaceAll(expression, "$__rate_interval", "5m"))
			if err != nil {
				return fmt.Errorf("%s: `%s`: %w", path, expression, err)
			}
			for _, selector := range parser.ExtractSelectors(parsed) {
				for _, matcher := range selector {
					if matcher.Name == model.MetricNameLabel {
						names[matcher.Value] = struct{}{}
					}
				}
			}
		}
	}
	var lines []string
	for name := range names {
		lines = append(lines, name+"\n")
	}
	fmt.Print(sorted(lines))
	return nil
}

// expressions are the texts under the key `expr`, wherever it stands.
func expressions(content any) []string {
	var found []string
	switch content := content.(type) {
	case map[string]any:
		for key, value := range content {
			if text, ok := value.(string); ok && key == "expr" {
				found = append(found, text)
			} else {
				found = append(found, expressions(value)...)
			}
		}
	case []any:
		for _, value := range content {
			found = append(found, expressions(value)...)
		}
	}
	return found
}
