package baseline

import (
	"github.com/tidemark/tidemark/baseline/detect"
)

// mark is a Score in half the room: the test by its row.
type mark struct {
	Time                                      int64
	Value, Expected, Lower, Upper, Raw, Alarm float64
	row                                       int8 // noRow: no test stands out
	State                                     State
	Active, Withheld                          bool
	Z                                         float32 // seasonal residual in spreads, of the last sample that had one
}

const noRow = -1

// rows are all tests that a score can be of, those of more than one series and of none included.
var rows = append(append([]detect.Detector(nil), detect.All()...), absence, peerRow, detect.JointRow())

// set makes the mark that of a score; Z stays.
func (m *mark) set(sc *Score) {
	m.Time, m.Value, m.Expected, m.Lower, m.Upper, m.Raw, m.Alarm = sc.Time, sc.Value, sc.Expected, sc.Lower, sc.Upper, sc.Raw, sc.Alarm
	m.State, m.Active, m.Withheld, m.row = sc.State, sc.Active, sc.Withheld, noRow
	if sc.Detector == "" {
		return
	}
	if rows[sc.row].Name == sc.Detector {
		m.row = sc.row
		return
	}
	for i := range rows {
		if rows[i].Name == sc.Detector {
			m.row = int8(i)
			break
		}
	}
}

func (m *mark) score() Score {
	sc := Score{
		Time: m.Time, Value: m.Value, Expected: m.Expected, Lower: m.Lower, Upper: m.Upper, Raw: m.Raw, Alarm: m.Alarm,
		State: m.State, Active: m.Active, Withheld: m.Withheld,
	}
	if m.row != noRow {
		sc.Kind, sc.Detector, sc.row = rows[m.row].Kind, rows[m.row].Name, m.row
	}
	return sc
}
