// Package runbook proposes, calls and verifies the runbooks a user configured for incidents.
//
// A runbook is an HTTP endpoint of the user. Tidemark never runs a command. An incident selects a
// runbook through matchers; a person approves; the endpoint is called with an idempotency key and a
// signature (https://www.standardwebhooks.com); the baseline then says whether it helped. What an
// alert says reaches the endpoint only as JSON values of the body, never as URL, method, header or
// secret. Every step is on disk before it takes effect and in the audit log.
package runbook
