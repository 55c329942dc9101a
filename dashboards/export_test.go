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
