package app

import (
	"github.com/prometheus/common/model"

	"github.com/tidemark/tidemark/internal/notify"
	"github.com/tidemark/tidemark/internal/runbook"
)

// silenced remembers that people silenced an incident, or an alert of one: that says what the page was worth to them.
func (i *incidents) silenced(s notify.Silence) {
	id := string(s.Labels["incident"])
	if s.Labels[model.AlertNameLabel] != incidentAlert {
		ls := s.Labels.Clone()
		if p := ls[pathLabel]; p == pathDirect || p == pathCorrelate {
			delete(ls, pathLabel)
		}
		id = i.engine.IncidentOf(ls)
	}
	if id == "" {
		return
	}
	if err := i.s.app.memory.Silenced(id, s.By, s.Comment); err != nil {
		i.logger.Debug("A silence is on an incident that is not remembered", "incident", id, "err", err)
	}
}

// noteFixes remembers which runbooks were seen to end their incidents.
func (i *incidents) noteFixes() {
	for _, p := range i.s.app.runbooks.List() {
		if p.State != runbook.StateVerified {
			continue
		}
		what := "runbook " + p.Runbook
		if past, ok := i.s.app.memory.Past(p.Incident.ID); !ok || past.Fixed != "" {
			continue
		}
		if err := i.s.app.memory.Fixed(p.Incident.ID, what); err != nil {
			i.logger.Error("Remembering what fixed an incident failed", "incident", p.Incident.ID, "err", err)
		}
	}
}
