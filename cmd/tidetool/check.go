package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tidemark/tidemark/internal/config"
	"github.com/tidemark/tidemark/rules"
)

// checkCommand checks files before they are used.
func checkCommand(app *kingpin.Application) map[string]runFunc {
	check := app.Command("check", "Check files before they are used.")
	configCmd := check.Command("config", "Check configuration files of tidemark.")
	configs := configCmd.Arg("file", "Configuration file.").Required().Strings()
	rulesCmd := check.Command("rules", "Check rule files of Prometheus and say what tidemark would watch of them.")
	ruleFiles := rulesCmd.Arg("file", "Rule file.").Required().Strings()
	webCmd := check.Command("web-config", "Check web configuration files (TLS, users).")
	webs := webCmd.Arg("file", "Web configuration file.").Required().Strings()
	return map[string]runFunc{
		configCmd.FullCommand(): func(_ context.Context, s streams) error {
			return each(s, *configs, func(name string) (string, error) {
				cfg, err := config.LoadFile(name)
				if err != nil {
					return "", err
				}
				return fmt.Sprintf("%d watches, %d runbooks, %d Alertmanagers", len(cfg.Watches), len(cfg.Runbooks), len(cfg.Alertmanagers)), nil
			})
		},
		rulesCmd.FullCommand(): func(_ context.Context, s streams) error { return checkRules(s, *ruleFiles) },
		webCmd.FullCommand(): func(_ context.Context, s streams) error {
			return each(s, *webs, func(name string) (string, error) { return "valid", web.Validate(name) })
		},
	}
}

// each checks every file, so that one run shows all that is wrong.
func each(s streams, files []string, check func(name string) (string, error)) error {
	failed := 0
	for _, name := range files {
		fmt.Fprintf(s.out, "Checking %s\n", name)
		what, err := check(name)
		if err != nil {
			failed++
			fmt.Fprintf(s.err, "  FAILED: %v\n", err)
			continue
		}
		fmt.Fprintf(s.out, "  SUCCESS: %s\n", what)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files are wrong", failed, len(files))
	}
	return nil
}

// checkRules says what a start without further configuration would watch, and which rules give
// nothing: those are findings.
func checkRules(s streams, files []string) error {
	skipped := 0
	err := each(s, files, func(name string) (string, error) {
		groups, errs := rulefmt.ParseFile(name, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		if len(errs) > 0 {
			return "", errors.Join(errs...)
		}
		found, err := rules.Discover(groups.Groups, nil, rules.DefaultDiscoverConfig(), nil)
		if err != nil {
			return "", err
		}
		for _, w := range found.Watches {
			fmt.Fprintf(s.out, "  watch %s (%s): %s\n", w.Name, w.Direction, w.Expr)
		}
		for _, sk := range found.Skipped {
			fmt.Fprintf(s.out, "  nothing to watch in %s: %s\n", sk.Alert, sk.Reason)
		}
		skipped += len(found.Skipped)
		return fmt.Sprintf("%d watches", len(found.Watches)), nil
	})
	if err == nil && skipped > 0 {
		return errFinding
	}
	return err
}
