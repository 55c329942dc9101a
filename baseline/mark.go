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

func markOf(sc Score) mark {
	m := mark{
		Time: sc.Time, Value: sc.Value, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper, Raw: sc.Raw, Alarm: sc.Alarm,
		State: sc.State, Active: sc.Active, Withheld: sc.Withheld, row: noRow,
	}
	if sc.Detector == "" {
		return m
	}
	if rows[sc.row].Name == sc.Detector {
		m.row = sc.row
		return m
	}
	for i := range rows {
		if rows[i].Name == sc.Detector {
			m.row = int8(i)
			break
		}
	}
	return m
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
