package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidemark/tidemark/correlate"
)

// markdown answers the incident as text to paste into a ticket or a chat.
func (u *UI) markdown(w http.ResponseWriter, id string) {
	inc, ok := u.Data.Incident(id)
	if !ok {
		http.Error(w, "there is no incident "+id, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/markdown; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(Markdown(&inc, u.incidentURL(id))))
}

// plain escapes what Markdown and chat programs would take for markup.
var plainText = strings.NewReplacer("\\", "\\\\", "*", "\\*", "_", "\\_", "`", "'", "[", "\\[", "]", "\\]", "<", "&lt;", ">", "&gt;", "|", "\\|", "\n", " ", "\r", " ", "\x1b", "")

// Markdown writes an incident as Markdown: cause, evidence, affected, alerts by name.
func Markdown(inc *correlate.Incident, link string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", plainText.Replace(inc.Title))
	fmt.Fprintf(&b, "%s, %s, started %s, %d alerts → 1 incident, `%s`\n\n", inc.Severity, inc.State, inc.Start.UTC().Format("2006-01-02 15:04:05 UTC"), len(inc.Alerts), inc.ID)
	c, ok := named(inc)
	if ok {
		fmt.Fprintf(&b, "**Probable cause: %s**, confidence %.0f %%\n\n", plainText.Replace(causeName(c)), 100*c.Confidence)
	} else {
		b.WriteString("**No clear cause.**\n\n")
	}
	if inc.Action != "" {
		fmt.Fprintf(&b, "Action: %s\n\n", plainText.Replace(inc.Action))
	}
	if ok {
		for _, e := range c.Evidence {
			sign := "+"
			if !e.For {
				sign = "−"
			}
			fmt.Fprintf(&b, "- %s %s", sign, plainText.Replace(e.Text))
			if e.Query != "" {
				fmt.Fprintf(&b, " (`%s`)", strings.ReplaceAll(e.Query, "`", "'"))
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	for _, r := range inc.RuledOut {
		fmt.Fprintf(&b, "- not %s: %s\n", plainText.Replace(r.Entity), plainText.Replace(r.Text))
	}
	for _, a := range inc.Affected {
		fmt.Fprintf(&b, "- affected: %d %s\n", a.N, plainText.Replace(a.Noun))
	}
	for _, g := range groups(inc) {
		fmt.Fprintf(&b, "- alert %s: %d\n", plainText.Replace(g.Name), len(g.Alerts)+g.Hidden)
	}
	fmt.Fprintf(&b, "\n%s\n", link)
	return b.String()
}
