package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// snapshotVersion changes when an older snapshot can no longer be read.
const snapshotVersion = 1

// snapshot is the engine's state on disk.
type snapshot struct {
	Version   int             `json:"version"`
	Records   []*record       `json:"records"`
	Changes   []Change        `json:"changes,omitempty"`
	Incidents []savedIncident `json:"incidents,omitempty"`
}

type savedIncident struct {
	ID        string      `json:"id"`
	FirstSeen time.Time   `json:"first_seen"`
	Alerted   time.Time   `json:"alerted,omitzero"`
	Opened    time.Time   `json:"opened,omitzero"`
	State     string      `json:"state"`
	Revision  int         `json:"revision"`
	Revised   time.Time   `json:"revised,omitzero"`
	Cause     string      `json:"cause,omitempty"`
	Told      uint64      `json:"told,string"`
	ToldAt    time.Time   `json:"told_at,omitzero"`
	Ended     time.Time   `json:"ended,omitzero"`
	Merged    []string    `json:"merged,omitempty"`
	SplitFrom string      `json:"split_from,omitempty"`
	Into      string      `json:"into,omitempty"`
	Members   []savedItem `json:"members"`
	Posts     []Post      `json:"posts,omitempty"`
}

type savedItem struct {
	ID    model.Fingerprint `json:"id"`
	Start int64             `json:"start,string"` // Unix nanoseconds
}

// Snapshot returns the state as JSON; the same state gives the same bytes.
func (e *Engine) Snapshot() ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := snapshot{Version: snapshotVersion, Changes: e.changes, Records: make([]*record, 0, len(e.records))}
	for _, r := range e.records {
		s.Records = append(s.Records, r)
	}
	slices.SortFunc(s.Records, func(a, b *record) int { return cmp.Compare(a.ID, b.ID) })
	members := map[string][]savedItem{}
	for k, id := range e.owners {
		members[id] = append(members[id], savedItem{k.id, k.start})
	}
	for _, t := range e.inOrder() {
		m := members[t.id]
		slices.SortFunc(m, func(a, b savedItem) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Start, b.Start)) })
		s.Incidents = append(s.Incidents, savedIncident{
			ID: t.id, FirstSeen: t.firstSeen, Alerted: t.alerted, Opened: t.opened, State: t.state, Revision: t.revision, Revised: t.revised,
			Cause: t.cause, Told: t.told, ToldAt: t.toldAt, Ended: t.ended, Merged: t.merged, SplitFrom: t.splitFrom, Into: t.into, Members: m, Posts: t.posts,
		})
	}
	out, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the state of correlation: %w", err)
	}
	return out, nil
}

// Restore replaces the state with a snapshot; alerts acknowledged after it are given to Alerts again.
// On an error the state is as it was.
func (e *Engine) Restore(data []byte) error {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read the state of correlation: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("read the state of correlation: version %d, this program reads version %d", s.Version, snapshotVersion)
	}
	records := make(map[model.Fingerprint]*record, len(s.Records))
	known := classes{}
	for i, r := range s.Records {
		if r == nil || len(r.Labels) == 0 || len(r.Copies) == 0 || len(r.Spans) == 0 {
			return fmt.Errorf("read the state of correlation: record %d is incomplete", i)
		}
		for _, sp := range r.Spans {
			if len(sp.Starts) == 0 {
				return fmt.Errorf("read the state of correlation: record %d has a span without starts", i)
			}
		}
		r.place = e.cfg.placeOf(r.Labels, r.Annotations, known)
		records[r.ID] = r
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.records, e.changes, e.dirty, e.restored = records, s.Changes, true, true
	clear(e.cache)
	e.tracked, e.owners = map[string]*tracked{}, map[itemKey]string{}
	for _, i := range s.Incidents {
		e.tracked[i.ID] = &tracked{
			id: i.ID, firstSeen: i.FirstSeen, alerted: i.Alerted, opened: i.Opened, state: i.State, revision: i.Revision, revised: i.Revised,
			cause: i.Cause, told: i.Told, toldAt: i.ToldAt, ended: i.Ended, merged: i.Merged, splitFrom: i.SplitFrom, into: i.Into, stale: true, posts: i.Posts,
		}
		for _, m := range i.Members {
			e.owners[itemKey{m.ID, m.Start}] = i.ID
		}
	}
	return nil
}
