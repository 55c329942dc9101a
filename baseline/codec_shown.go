package baseline

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tidemark/tidemark/baseline/detect"
)

// shown is the last score as it is saved.
type shown struct {
	Time, Since, Whole            int64
	Value, Expected, Lower, Upper float64
	Raw, Alarm                    float64
	Active, Withheld, State       uint8
	Episode, Peer, Seen           uint8 // what follows
}

// appendShown encodes the last score, what it rests on, and what is usual among the siblings; the
// series' lock is held.
func (s *Series) appendShown(b []byte) ([]byte, error) {
	sc := s.score()
	lasting, peer, why := s.episode(), s.usually(), s.reason()
	h := shown{
		Time: sc.Time, Since: sc.Since, Whole: s.whole(), Value: sc.Value, Expected: sc.Expected, Lower: sc.Lower, Upper: sc.Upper, Raw: sc.Raw, Alarm: sc.Alarm,
		Active: bit(sc.Active), Withheld: bit(s.rare != nil && s.rare.withheld), State: uint8(sc.State),
		Episode: bit(lasting != episode{}), Peer: bit(peer != nil), Seen: bit(why != nil),
	}
	b, err := binary.Append(appendText(b, sc.Detector), endian, &h)
	if err == nil && h.Episode != 0 {
		b, err = binary.Append(b, endian, &lasting)
	}
	if err == nil && peer != nil {
		b, err = binary.Append(b, endian, peer)
	}
	if err == nil && why != nil {
		b, err = binary.Append(appendText(b, why.row), endian, &why.Seen)
	}
	return b, err
}

func (s *Series) decodeShown(b []byte) ([]byte, error) {
	detector, b, ok := text(b)
	if !ok {
		return nil, errLayout
	}
	var h shown
	b, err := take(b, &h)
	if err != nil {
		return nil, err
	}
	if State(h.State) > AfterGap || !(h.Raw >= 0) || !(h.Alarm >= 0) || math.IsInf(h.Raw, 0) || math.IsInf(h.Alarm, 0) {
		return nil, errors.New("a score that is none")
	}
	s.last.set(&Score{
		Time: h.Time, Since: h.Since, Value: h.Value, Expected: h.Expected, Lower: h.Lower, Upper: h.Upper, Raw: h.Raw, Alarm: h.Alarm,
		Active: h.Active != 0, Withheld: h.Withheld != 0, State: State(h.State), Detector: detector, Kind: detect.ByName(detector).Kind,
	})
	if h.Whole != 0 {
		s.own().whole = h.Whole
	}
	if h.Withheld != 0 {
		s.own().withheld = true
	}
	if h.Episode != 0 {
		if b, err = take(b, &s.own().episode); err != nil {
			return nil, err
		}
		if e := s.episode(); !(e.Shown >= 0) || math.IsInf(e.Shown, 0) {
			return nil, errors.New("an episode that is none")
		}
	}
	if h.Peer != 0 {
		s.own().peer = &sibling{}
		if b, err = take(b, s.rare.peer); err != nil {
			return nil, err
		}
		if p := s.rare.peer; !(p.Cell.Scale > 0) || math.IsNaN(p.Mean+p.Abs+p.N+float64(p.Cell.Place)) {
			return nil, errors.New("a comparison with siblings that is none")
		}
	}
	if h.Seen != 0 {
		w := &why{}
		s.own().why = w
		if w.row, b, ok = text(b); !ok {
			return nil, errLayout
		}
		return take(b, &w.Seen)
	}
	return b, nil
}

func bit(x bool) uint8 {
	if x {
		return 1
	}
	return 0
}

// take decodes a part of fixed size and returns the rest.
func take(b []byte, part any) ([]byte, error) {
	n, err := binary.Decode(b, endian, part)
	if err != nil {
		return nil, errLayout
	}
	return b[n:], nil
}

// together is what a group has learned, by its members' hashes; kept until the group has a tick.
type together struct {
	members []uint64
	joint   detect.Joint
}

// encode is the payload of a group.
func (g *group) encode(b []byte) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b = appendText(append(b, groupRecord), g.key)
	n := min(len(g.members), len(g.joint.Seen))
	b = endian.AppendUint16(b, uint16(n))
	for _, s := range g.members[:n] {
		b = endian.AppendUint64(b, labels.StableHash(s.labelSet()))
	}
	var err error
	for _, part := range []any{&g.joint.JointState, g.joint.Seen, g.joint.Cov} {
		if b, err = binary.Append(b, endian, part); err != nil {
			return nil, fmt.Errorf("encode group %s: %w", g.name, err)
		}
	}
	return b, nil
}

// restoreGroup keeps a group's payload for when its members are there.
func (e *Engine) restoreGroup(b []byte) error {
	k, b, ok := text(b)
	if !ok || len(b) < 2 {
		return errLayout
	}
	n := int(endian.Uint16(b))
	if n > detect.MaxJoint {
		return fmt.Errorf("a group of %d", n)
	}
	t := &together{members: make([]uint64, n), joint: detect.Joint{Seen: make([]float64, n), Cov: make([]float64, n*n)}}
	b = b[2:]
	for _, part := range []any{t.members, &t.joint.JointState, t.joint.Seen, t.joint.Cov} {
		var err error
		if b, err = take(b, part); err != nil {
			return err
		}
	}
	if len(b) != 0 {
		return errLayout
	}
	for _, x := range slices.Concat(t.joint.Seen, t.joint.Cov) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return errors.New("a number that is none")
		}
	}
	if !(t.joint.Cell.Scale > 0) {
		return errors.New("a calibration without scale")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.saved[k] = t
	return nil
}

// recall gives a group what a state that was loaded knows of it; the engine's lock is held.
func (e *Engine) recall(g *group) {
	t := e.saved[g.key]
	if t == nil {
		return
	}
	delete(e.saved, g.key)
	g.mu.Lock()
	defer g.mu.Unlock()
	from := make([]int, len(g.members))
	for i, s := range g.members {
		from[i] = slices.Index(t.members, labels.StableHash(s.labelSet()))
	}
	t.joint.Reshape(from)
	g.joint = &t.joint
}

// groupList is every group in the order of its key.
func (e *Engine) groupList() []*group {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := make([]*group, 0, len(e.groups))
	for _, g := range e.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return cmp.Compare(a.key, b.key) })
	return out
}
