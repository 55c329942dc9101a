// Package manual makes a command line teach: examples stand in --help of each command and in the man page.
package manual

import (
	"fmt"
	"strings"
	"text/template"

	"github.com/alecthomas/kingpin/v2"
)

// Example is one command line and what it is for.
type Example struct{ For, Line string }

// Book is what is told of a program beyond its flags.
type Book struct {
	// About are paragraphs that say what the program is, for the man page.
	About []string
	// Examples are by the full name of a command ("incident show"); those of the program itself under "".
	Examples map[string][]Example
	// Files are paths that the program uses, with what is in them.
	Files [][2]string
	// See are the names of other pages: "tidetool(1)".
	See []string
}

// Teach adds the examples to the help of app. It keeps kingpin's own form of everything else.
func (b Book) Teach(app *kingpin.Application) {
	app.UsageFuncs(template.FuncMap{"examples": func(command string) []Example { return b.Examples[command] }})
	app.UsageTemplate(strings.TrimSpace(kingpin.DefaultUsageTemplate) + helpExamples)
}

// helpExamples follows what kingpin says of a command.
const helpExamples = `
{{$of := ""}}{{if .Context.SelectedCommand}}{{$of = .Context.SelectedCommand.FullCommand}}{{end -}}
{{with examples $of}}Examples:
{{range .}}  # {{.For}}
  {{.Line}}
{{end}}{{end}}`

// Man writes the page of section 1 in the man macros of groff (man 7 groff_man), dated by version.
func (b Book) Man(app *kingpin.Application, version string) error {
	app.UsageFuncs(template.FuncMap{
		"examples": func(command string) []Example { return b.Examples[command] },
		"book":     func() Book { return b },
		"version":  func() string { return version },
		"roff":     roff,
		"upper":    strings.ToUpper,
	})
	context, err := app.ParseContext(nil)
	if err != nil {
		return fmt.Errorf("describe %s: %w", app.Name, err)
	}
	return app.UsageForContextWithTemplate(context, 2, manPage)
}

// roff escapes text: a backslash begins an escape, a hyphen is a minus that can be copied, and a line that
// begins with a dot or a quote would be a request.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

const manPage = `{{define "flags"}}{{range .Flags}}{{if not .Hidden}}.TP
\fB{{if .Short}}\-{{.Short|Char}}\fR, \fB{{end}}\-\-{{roff .Name}}\fR{{if not .IsBoolFlag}}=\fI{{roff .FormatPlaceHolder}}\fR{{end}}
{{roff .Help}}
{{end}}{{end}}{{end -}}
{{define "args"}}{{range .Args}}{{if not .Hidden}}.TP
\fI{{roff .Name}}\fR
{{roff .Help}}
{{end}}{{end}}{{end -}}
{{define "examples"}}{{range .}}.PP
{{roff .For}}:
.PP
.RS 4
.nf
{{roff .Line}}
.fi
.RE
{{end}}{{end -}}
{{define "call"}}{{if .FlagSummary}} {{roff .FlagSummary}}{{end}}{{range .Args}}{{if not .Hidden}} {{if not .Required}}[{{end}}\fI{{roff .Name}}\fR{{if .Value|IsCumulative}}...{{end}}{{if not .Required}}]{{end}}{{end}}{{end}}{{end -}}
.TH {{upper .App.Name}} 1 "" "{{roff .App.Name}} {{roff version}}" "Tidemark"
.SH NAME
{{roff .App.Name}} \- {{roff .App.Help}}
.SH SYNOPSIS
\fB{{roff .App.Name}}\fR{{template "call" .App}}{{if .App.Commands}} \fIcommand\fR [\fIargument\fR ...]{{end}}
{{if book.About}}.SH DESCRIPTION
{{range book.About}}.PP
{{roff .}}
{{end}}{{end -}}
.SH OPTIONS
{{template "flags" .App -}}
{{if .App.Commands}}.SH COMMANDS
{{range .App.FlattenedCommands}}{{if not .Hidden}}.SS "{{roff .FullCommand}}{{template "call" .}}"
{{roff .Help}}
{{template "flags" .}}{{template "args" .}}{{template "examples" examples .FullCommand}}{{end}}{{end}}{{end -}}
{{with examples ""}}.SH EXAMPLES
{{template "examples" .}}{{end -}}
{{with book.Files}}.SH FILES
{{range .}}.TP
\fI{{roff (index . 0)}}\fR
{{roff (index . 1)}}
{{end}}{{end -}}
{{with book.See}}.SH "SEE ALSO"
{{range $i, $s := .}}{{if $i}}, {{end}}{{roff $s}}{{end}}
{{end}}`
