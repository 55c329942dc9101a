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

// What a Tidemark that had an incident of a shop, and acted on it, is not excused by.
const (
	NoAnomaly  = noAnomaly
	NoIncident = noIncident
	NoCall     = noCall
	NoSpans    = noSpans
)
