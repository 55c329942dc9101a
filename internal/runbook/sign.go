package runbook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Headers of a call, of https://www.standardwebhooks.com. The identifier is the idempotency key too:
// it is the same for every attempt of one action, and is sent under both usual names.
const (
	headerID        = standardwebhooks.HeaderWebhookID
	headerTimestamp = standardwebhooks.HeaderWebhookTimestamp
	headerSignature = standardwebhooks.HeaderWebhookSignature
	headerKey       = "Idempotency-Key"
)

const secretPrefix = "whsec_"

// errKey never quotes the secret.
var errKey = errors.New("not a signing key, want whsec_ and base64 of 24 to 64 random bytes, for example from: openssl rand -base64 32")

// parseKeys reads signing keys, one a line. Empty lines are skipped.
func parseKeys(text string) ([][]byte, error) {
	var keys [][]byte
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, secretPrefix))
		if err != nil || len(key) < 24 || len(key) > 64 {
			return nil, errKey
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errKey
	}
	return keys, nil
}

// keys returns the signing keys of the runbook, none when it is not signed.
func (r *Runbook) keys() ([][]byte, error) {
	text := string(r.Secret)
	if r.SecretFile != "" {
		data, err := os.ReadFile(r.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("read secret_file: %w", err)
		}
		text = string(data)
	}
	if text == "" && r.SecretFile == "" {
		return nil, nil
	}
	return parseKeys(text)
}

// sign sets the three headers of Standard Webhooks: one signature per key, so that the endpoint may
// know either key while they are rotated.
func sign(h http.Header, keys [][]byte, id string, at time.Time, payload []byte) error {
	h.Set(headerID, id)
	h.Set(headerKey, id)
	h.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
	signatures := make([]string, 0, len(keys))
	for _, key := range keys {
		wh, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return fmt.Errorf("sign call: %w", err)
		}
		signature, err := wh.Sign(id, at, payload)
		if err != nil {
			return fmt.Errorf("sign call: %w", err)
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) > 0 {
		h.Set(headerSignature, strings.Join(signatures, " "))
	}
	return nil
}
