package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/alecthomas/kingpin/v2"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/version"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/internal/runbook"
)

// maxAnswer bounds what is read from a server.
const maxAnswer = 64 << 20

// client talks to a running tidemark.
type client struct {
	url          string
	configFile   string
	user         string
	passwordFile string
	output       string
}

// clientFlags adds the flags of a client to a command and all below it.
func clientFlags(cmd *kingpin.CmdClause) *client {
	c := &client{}
	cmd.Flag("tidemark.url", "URL of tidemark.").Default("http://localhost:9099").StringVar(&c.url)
	cmd.Flag("http.config.file", "HTTP client configuration file (prometheus/common http_config) with credentials and TLS.").StringVar(&c.configFile)
	cmd.Flag("user", "Basic auth user, instead of a configuration file.").StringVar(&c.user)
	cmd.Flag("password-file", "File with the password of --user.").StringVar(&c.passwordFile)
	cmd.Flag("output", "Output format: simple, extended or json.").Short('o').Default("simple").EnumVar(&c.output, "simple", "extended", "json")
	return c
}

// http returns the client that the flags describe.
func (c *client) http() (*http.Client, error) {
	cfg := commoncfg.DefaultHTTPClientConfig
	switch {
	case c.configFile != "" && c.user != "":
		return nil, errors.New("--http.config.file and --user: both set, want one of them")
	case c.configFile != "":
		data, err := os.ReadFile(c.configFile)
		if err != nil {
			return nil, fmt.Errorf("read HTTP client configuration: %w", err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(data))
		dec.KnownFields(true)
		if err := dec.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read HTTP client configuration %s: %w", c.configFile, err)
		}
	case c.user != "":
		if c.passwordFile == "" {
			return nil, errors.New("--user needs --password-file, a file with the password")
		}
		cfg.BasicAuth = &commoncfg.BasicAuth{Username: c.user, PasswordFile: c.passwordFile}
	}
	hc, err := commoncfg.NewClientFromConfig(cfg, "tidetool", commoncfg.WithUserAgent("tidetool/"+version.Version))
	if err != nil {
		return nil, fmt.Errorf("HTTP client: %w", err)
	}
	hc.Timeout = 30 * time.Second
	return hc, nil
}

// send makes one request below the URL of tidemark. body nil means none. The caller closes the
// answer's body.
func (c *client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	base, err := url.Parse(c.url)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("--tidemark.url %q: want for example http://localhost:9099", c.url)
	}
	hc, err := c.http()
	if err != nil {
		return nil, err
	}
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.url, "/")+path, payload)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	req.Header.Set(runbook.RequestHeader, "1")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := hc.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask tidemark: %w", err)
	}
	return resp, nil
}

// apiError is that tidemark answered, and that it did not do what was asked.
type apiError struct{ status, msg string }

func (e *apiError) Error() string { return fmt.Sprintf("tidemark answered %s: %s", e.status, e.msg) }

// call makes one request and decodes the data of the answer's envelope into out.
func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of tidemark: %w", err)
	}
	var envelope struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil || envelope.Status == "" {
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			return fmt.Errorf("%s answered %s: %.300s%s", c.url, resp.Status, clean(strings.TrimSpace(string(data))), hint(resp.StatusCode))
		}
		return fmt.Errorf("%s answered %s, not in JSON: is that tidemark?%s", c.url, resp.Status, hint(resp.StatusCode))
	}
	if envelope.Status != "success" {
		return &apiError{resp.Status, clean(envelope.Error)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, out); err != nil {
		return fmt.Errorf("understand the answer of tidemark: %w", err)
	}
	return nil
}

// hint adds what a person can do about a status that the web server gives before tidemark is asked.
func hint(status int) string {
	if status == http.StatusUnauthorized {
		return ". It wants credentials: --http.config.file, or --user and --password-file"
	}
	return ""
}

// printJSON writes v indented.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// clean makes text of others safe for a terminal: no control characters, which could be escape
// sequences, and no characters that reorder or hide text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// stamp prints a time, "-" when there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// orDash prints text that may be empty.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return clean(s)
}
