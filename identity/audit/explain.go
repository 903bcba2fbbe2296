package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// causes puts the rules that refuse into words for a help desk. A cause that is
// not here is shown as it stands: it is a word of ours, and the code has it.
var causes = map[string]string{
	"consent-not-given":   "the patient did not agree, at the provider, to share their details",
	"access-denied":       "the provider refused, or the patient pressed cancel there",
	"login-required":      "the provider wanted a login page and was told not to show one",
	"sso-login-required":  "the app's sign-in was not accepted by the provider; the patient was shown the button",
	"account-disabled":    "an operator disabled this account, or it is closed",
	"under-age":           "the patient is younger than the service admits",
	"other-person":        "the login at the provider was somebody else's than the open session",
	"callback-unknown":    "the browser came back with an answer to nothing we asked: an old link, or cookies that are off",
	"callback-foreign":    "the browser that came back is not the one that began the login",
	"callback-late":       "the login took longer than two hours",
	"callback-used":       "the answer had been used before: the back button, or a reload",
	"cross-origin-post":   "a form of another site was sent to us",
	"acting":              "the provider spoke of two people: someone acting for the patient",
	"vot-not-asked":       "the provider answered with a level of trust that was not asked for",
	"vot-above-level":     "the provider answered with a level above the one it holds for the patient",
	"provider-down":       "the provider could not be reached",
	"request-expired":     "the service's request had waited for longer than two hours",
	"session-over":        "the session had ended before the button was pressed",
	"replaced-by-login":   "a new login in the same browser took its place",
	"logout":              "the patient logged out",
	"portal-logout":       "the patient logged out at a service",
	"portal-bad-client":   "a service that is not configured here sent the patient",
	"portal-bad-redirect": "a service asked for an answer to an address that is not registered for it",
}

// Explain tells an event in plain words, several lines, without any value of a
// person.
func Explain(e Event) string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", label, text)
		}
	}
	line("when", e.At.UTC().Format(time.DateTime)+" UTC")
	line("what", string(e.Kind)+", "+string(e.Result))
	line("why", explainCause(e.Cause))
	line("who", e.Actor)
	line("account", e.Account)
	line("session", e.Session)
	line("provider", e.Provider)
	line("service", e.Portal)
	line("fields", strings.Join(e.Fields, ", "))
	line("reason", e.Reason)
	line("reference", e.Reference)
	return b.String()
}

func explainCause(cause string) string {
	if words, known := causes[cause]; known {
		return words + " (" + cause + ")"
	}
	return cause
}

// Head writes the batch as the log and `audit verify` show it: number and tag.
func (b Batch) Head() string { return fmt.Sprintf("%d:%x", b.Number, b.Tag) }

// ParseHead reads what [Batch.Head] wrote; nothing is the zero Batch.
func ParseHead(s string) (Batch, error) {
	if s == "" {
		return Batch{}, nil
	}
	number, tag, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	raw, hexErr := hex.DecodeString(tag)
	if err != nil || hexErr != nil || n < 1 || len(raw) == 0 {
		return Batch{}, fmt.Errorf("head: wanted BATCH:TAG as the log shows it, got %.80q", s)
	}
	return Batch{Number: n, Tag: raw}, nil
}
