package detect

// Missing is the calibration of gaps: the log of one plus the number of samples that did not come
// in a row. It has no Stat: a sample that came is no gap. Two missing samples are the floor, since
// every scrape fails now and then.
var missing = Detector{Name: "absent", Kind: Absence, Floor: 1.1, Prior: Gumbel{Place: 1.1, Scale: 0.39}, Say: sayAbsent}

// Missing returns the row by which gaps are calibrated.
func Missing() Detector { return missing }
