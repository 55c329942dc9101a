package dashboards

// Reasons for a panel to be empty on a Tidemark that works.
const (
	noAnomaly  = "nothing is abnormal"
	noIncident = "there was no incident"
	noLimit    = "no forecast crosses a declared limit"
	noCall     = "no runbook was called"
	noFault    = "nothing failed"
	noLogs     = "no logs are sent to Tidemark"
	noSpans    = "no service graph is scraped"
	young      = "there is no data that old"
)

// quiet lists the panels that may be empty, by dashboard and title, with the reason; a title with a
// query's letter behind a slash excuses that query alone. Every other one must show something.
var quiet = map[string]map[string]string{
	"tidemark-overview": {
		"Anomalies by kind":   noAnomaly,
		"Worst series now":    noAnomaly,
		"Alerts per incident": noIncident,
		"Nearest limit":       noLimit,
		"Limits ahead":        noLimit,
	},
	"tidemark-series": {
		"Band/E":            noAnomaly,
		"Kinds of anomaly":  noAnomaly,
		"Season profile/B":  young,
		"Season profile/C":  young,
		"Forecast/B":        young,
		"Forecast/C":        young,
		"Forecast/D":        young,
		"Time to the limit": noLimit,
	},
	"tidemark-incidents": {
		"Alerts per incident":         noIncident,
		"Time to first page":          noIncident,
		"Open incidents by cause":     noIncident,
		"Time line":                   noIncident,
		"Causes":                      noIncident,
		"Alerts kept at Alertmanager": noIncident,
		"Posts to Alertmanager/A":     noIncident,
		"Anomalies that began":        noAnomaly,
	},
	"tidemark-topology": {
		"Calls":          noSpans,
		"Failed calls":   noSpans,
		"Time of a call": noSpans,
	},
	"tidemark-logs": {
		"New templates and their rates": noLogs,
		"Most frequent templates":       noLogs,
		"Templates that grew most":      noLogs,
		"Volume":                        noLogs,
		"Lines":                         noLogs,
	},
	"tidemark-runbooks": {
		"Calls":               noCall,
		"Verified":            noCall,
		"Calls by verdict":    noCall,
		"Calls by mode":       noCall,
		"Attempts by outcome": noCall,
		"Calls by runbook":    noCall,
	},
	"tidemark-health": {
		"Last heartbeat":      "the heartbeat is not configured",
		"Watches that failed": noFault,
		"Failed calls":        noFault,
		"Time to acknowledge": "no message came",
		"Messages by status":  "no message came",
		"Alerts received":     "no message came",
		"Time until durable":  "nothing was written",
	},
}
