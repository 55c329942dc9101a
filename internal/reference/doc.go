// Package reference holds the tests that write the reference pages of docs/ from the code and compare
// them with it: configuration, metrics, HTTP API. Run them with -update to write the pages anew.
package reference
