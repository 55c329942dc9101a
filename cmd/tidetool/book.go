package main

import "github.com/tidemark/tidemark/internal/manual"

// book is what --help and the man page tell beyond flags: one entry for each command, with lines that work
// as they stand.
var book = manual.Book{
	About: []string{
		"tidetool checks files before they are used, shows what Tidemark would make of the past, and works with the incidents and runbooks of a running tidemark. It is to tidemark what promtool is to prometheus and amtool to alertmanager.",
		"Exit codes: 0 all is well, 1 the command failed, 3 it worked and found something to act on (a hidden incident, evidence that no longer holds, a broken audit log).",
		"Commands that take long show a progress bar on a terminal. Output for programs is JSON: -o json, or --format json where there is no -o.",
	},
	Examples: map[string][]manual.Example{
		"": {
			{For: "What Tidemark would have made of yesterday's alerts, before it is switched on", Line: "tidetool replay --prometheus.url=http://localhost:9090 --from=-24h"},
			{For: "The incidents of a running tidemark", Line: "tidetool incident list --tidemark.url=http://localhost:9099"},
			{For: "Check a configuration before it is loaded", Line: "tidetool check config tidemark.yml"},
			{For: "Completion of commands and flags in bash; zsh: --completion-script-zsh", Line: `eval "$(tidetool --completion-script-bash)"`},
		},
		"backtest": {
			{For: "Score every CSV below series/ and say how often it would have alarmed", Line: "tidetool backtest --in=series --out=scored --summary"},
			{For: "Rates over five minutes; the files of a folder are instances of one job, compared with each other", Line: "tidetool backtest --in=series --out=scored --window=5m --siblings"},
			{For: "As a live process that found the first four weeks of each file as history when it started", Line: "tidetool backtest --in=series --out=scored --history=28d"},
			{For: "A page with a band chart of each series, with the settings of a file", Line: "tidetool backtest --in=series --out=scored --config=tidemark.yml --html=report.html"},
		},
		"rca":  {{For: "Rank the causes of two recorded faults", Line: "tidetool rca cases/disk cases/deploy"}},
		"logs": {{For: "The ten most frequent templates of a log", Line: "tidetool logs app.log | cut -f3 | sort | uniq -c | sort -rn | head"}},
		"incident list": {
			{For: "What fires now", Line: "tidetool incident list --state=firing"},
			{For: "From a tidemark that wants a password", Line: "tidetool incident list --tidemark.url=https://tidemark.example.com --user=alice --password-file=secret"},
		},
		"incident search": {{For: "Was there ever trouble with the disk of a database?", Line: "tidetool incident search disk db"}},
		"incident show": {
			{For: "Cause, evidence, affected, path, course", Line: "tidetool incident show 5c1e09f4a2d7"},
			{For: "With the query of each piece of evidence", Line: "tidetool incident show 5c1e09f4a2d7 -o extended"},
		},
		"incident similar": {{For: "What ended the last one like this?", Line: "tidetool incident similar 5c1e09f4a2d7"}},
		"incident confirm": {{For: "The first cause was right; later ones like it gain from that", Line: "tidetool incident confirm 5c1e09f4a2d7 --http.config.file=client.yml"}},
		"incident reject":  {{For: "It was something else", Line: "tidetool incident reject 5c1e09f4a2d7 --cause=node-7 --http.config.file=client.yml"}},
		"runbook list": {
			{For: "What waits for a person", Line: "tidetool runbook list"},
			{For: "All that was ever proposed for one incident", Line: "tidetool runbook list --all --incident=5c1e09f4a2d7"},
		},
		"runbook show":    {{For: "Its state, body and limits", Line: "tidetool runbook show 1f9a03bb52ce7d10"}},
		"runbook dry-run": {{For: "See the exact request before approving it", Line: "tidetool runbook dry-run 1f9a03bb52ce7d10"}},
		"runbook approve": {{For: "Let it be called, once", Line: "tidetool runbook approve 1f9a03bb52ce7d10 --http.config.file=client.yml"}},
		"runbook reject":  {{For: "Close it", Line: "tidetool runbook reject 1f9a03bb52ce7d10 --http.config.file=client.yml"}},
		"runbook pause":   {{For: "Stop all actions at once", Line: `tidetool runbook pause --reason="change freeze" --http.config.file=client.yml`}},
		"runbook resume":  {{For: "Allow them again", Line: `tidetool runbook resume --reason="freeze is over" --http.config.file=client.yml`}},
		"audit verify": {
			{For: "The log of the running tidemark", Line: "tidetool audit verify"},
			{For: "A copy, which must pass through an end that was noted earlier", Line: "tidetool audit verify audit.jsonl --head=12:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		},
		"correlate": {{For: "Incidents of a recorded storm, with a graph of who calls whom", Line: "tidetool correlate --topology=graph.csv --format=json < alerts.jsonl"}},
		"topology": {
			{For: "The graph as a picture", Line: "tidetool topology --dot | dot -Tsvg > topology.svg"},
			{For: "Of a file", Line: "tidetool topology --graph=graph.csv"},
		},
		"check config": {{For: "Say what is wrong, where, and what would be right", Line: "tidetool check config tidemark.yml"}},
		"check rules":  {{For: "What Tidemark would watch of your rules", Line: "tidetool check rules rules/node.yml rules/shop.yml"}},
		"check web-config": {
			{For: "TLS and users", Line: "tidetool check web-config web.yml"},
		},
		"verify": {{For: "Run the evidence again, for a review after the incident", Line: "tidetool verify 5c1e09f4a2d7 --prometheus.url=http://localhost:9090"}},
		"replay": {
			{For: "Yesterday: alerts, incidents, pages spared, and what nobody would have been told of", Line: "tidetool replay --prometheus.url=http://localhost:9090 --from=-24h"},
			{For: "A week with the settings of a file, only what is routed to Tidemark, as JSON", Line: `tidetool replay --config=tidemark.yml --from=-7d --match='{severity!="none"}' -o json`},
		},
		"explain": {
			{For: "Why the last sample scored what it did, of a running tidemark", Line: `tidetool explain --watch=http_errors --series='{service="checkout"}'`},
			{For: "Why a sample of three hours ago would have, from Prometheus alone", Line: `tidetool explain --watch=http_errors --series='{service="checkout"}' --time=-3h --config=tidemark.yml`},
		},
	},
	See: []string{"tidemark(1)", "promtool(1)", "amtool(1)", "https://github.com/tidemark/tidemark"},
}
