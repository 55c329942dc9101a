package correlate

import (
	"slices"
	"strings"
	"time"
)

// Post is one time at which people were told of an incident: it is what Alertmanager is handed then.
type Post struct {
	Time     time.Time `json:"time"`
	Type     EventType `json:"type"`     // opened, revised or resolved
	Revision int       `json:"revision"` // of the incident then
	// Cause is the first cause as it was told, empty when there was no clear one.
	Cause      string  `json:"cause,omitempty"`
	Confidence float64 `json:"confidence,omitempty"`
}

// maxPosts bounds what is kept of an incident that comes back again and again: its newest posts.
const maxPosts = 50

// noted keeps that people are told of i now; further members of an incident are no news.
func (t *tracked) noted(i *Incident, now time.Time, typ EventType) {
	if typ == EventUpdated {
		return
	}
	p := Post{Time: now, Type: typ, Revision: t.revision}
	if len(i.Causes) > 0 && !i.NoClearCause {
		c := i.Causes[0]
		p.Cause, p.Confidence = strings.TrimSpace(c.Entity.Name+" "+c.Resource), c.Confidence
	}
	t.posts = append(t.posts[max(0, len(t.posts)+1-maxPosts):], p)
	i.Posts = slices.Clone(t.posts)
}
