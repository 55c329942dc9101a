package dashboards

// QuietPanels names what may be empty, as dashboard/panel or dashboard/panel/query.
func QuietPanels() []string {
	var names []string
	for uid, panels := range quiet {
		for panel := range panels {
			names = append(names, uid+"/"+panel)
		}
	}
	return names
}

// What a Tidemark in the middle of an incident is not excused by.
const (
	NoAnomaly  = noAnomaly
	NoIncident = noIncident
)
