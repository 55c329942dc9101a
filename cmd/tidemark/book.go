package main

import "github.com/tidemark/tidemark/internal/manual"

// book is what --help and the man page tell beyond flags, with lines that work as they stand.
var book = manual.Book{
	About: []string{
		"tidemark sits beside a Prometheus and its Alertmanager. It reads the history that Prometheus holds, learns what is normal at this hour of this weekday, scores what arrives, turns an alert storm into one incident whose first page names the cause, and hands it back to Alertmanager.",
		"It needs no configuration file to begin with: what your alerting rules look at is watched, and the usual metrics of services and nodes. SIGHUP loads the configuration again; a file with a mistake leaves the running one as it is. SIGTERM stops it and loses nothing that was acknowledged.",
	},
	Examples: map[string][]manual.Example{"": {
		{For: "Beside a Prometheus and an Alertmanager on this machine", Line: "tidemark --prometheus.url=http://localhost:9090 --alertmanager.url=http://localhost:9093"},
		{For: "With a configuration, reachable from outside behind a proxy", Line: "tidemark --config.file=tidemark.yml --storage.path=/var/lib/tidemark --web.external-url=https://ops.example.com/tidemark"},
		{For: "With TLS and users, as Prometheus has them", Line: "tidemark --config.file=tidemark.yml --web.config.file=web.yml"},
		{For: "Completion of flags in bash; zsh: --completion-script-zsh", Line: `eval "$(tidemark --completion-script-bash)"`},
	}},
	Files: [][2]string{
		{"data/", "What must survive a restart (--storage.path): messages, incidents, baselines, the audit log of actions."},
		{"/etc/tidemark/tidemark.yml", "Where the packages put the configuration. Every option: docs/configuration.md."},
	},
	See: []string{"tidetool(1)", "prometheus(1)", "https://github.com/tidemark/tidemark"},
}
