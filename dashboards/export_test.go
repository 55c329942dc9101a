package dashboards

// QuietPanels is the number of panels that may be empty.
func QuietPanels() int {
	n := 0
	for _, panels := range quiet {
		n += len(panels)
	}
	return n
}
