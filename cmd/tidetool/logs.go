package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tidemark/tidemark/correlate/logs"
)

// logsCommand prints the template of every line of a file, streaming.
func logsCommand(app *kingpin.Application) map[string]runFunc {
	cmd := app.Command("logs", "Find the templates of log lines: line number, template id and template of each line.")
	cmd.Flag("format", "Output format.").Default("tsv").Enum("tsv")
	path := cmd.Arg("file", "File to read, - for standard input.").Default("-").String()
	return map[string]runFunc{"logs": func(ctx context.Context, s streams) error {
		in := s.in
		if *path != "-" && *path != "" { // Kingpin hands a lone dash on as nothing.
			f, err := os.Open(*path)
			if err != nil {
				return fmt.Errorf("reading log lines: %w", err)
			}
			defer f.Close()
			in = f
		}
		return printTemplates(ctx, in, s.out)
	}}
}

// printTemplates writes one row per line. Lines may have any length; the miner reads the first
// bytes of each.
func printTemplates(ctx context.Context, in io.Reader, out io.Writer) error {
	m := logs.New(logs.Options{})
	r := bufio.NewReaderSize(in, 1<<20)
	w := bufio.NewWriter(out)
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		full := err == nil
		text := strings.TrimRight(string(line), "\r\n")
		for errors.Is(err, bufio.ErrBufferFull) { // The rest of a line longer than the buffer.
			_, err = r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading log lines: %w", err)
		}
		if err != nil && !full && text == "" {
			break
		}
		id, template, _ := m.Add(text)
		row := strconv.AppendInt(w.AvailableBuffer(), int64(n), 10)
		row = append(row, '\t')
		row = strconv.AppendInt(row, int64(id), 10)
		row = append(row, '\t')
		row = append(row, template...)
		if _, err := w.Write(append(row, '\n')); err != nil {
			return fmt.Errorf("writing templates: %w", err)
		}
		if err != nil {
			break
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing templates: %w", err)
	}
	return nil
}
