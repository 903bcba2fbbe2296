package courier

import (
	"regexp"
	"slices"
	"testing"

	"github.com/dilys-id/dilys/identity"
)

// FuzzReceipt: whatever a stranger posts, nothing but a reference of our shape and
// a status that we know comes out.
func FuzzReceipt(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"status":"delivered"}`, `{"reference":"AbC-_9","status":"delivered"}`, `{"reference":null,"status":"technical-failure"}`,
		`{"reference":"a\u0000","status":"delivered"}`, `{"reference":"a","status":"delivered","status":"x"}`, `{"REFERENCE":"a","Status":"delivered"}`,
	} {
		f.Add([]byte(seed))
	}
	shape := regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)
	f.Fuzz(func(t *testing.T, content []byte) {
		reference, status, ok := readReceipt(content)
		if !shape.MatchString(reference) || status != "" && !slices.Contains(statuses, status) || !ok && reference+status != "" {
			t.Errorf("%q became %q, %q, %v", content, reference, status, ok)
		}
	})
}

func FuzzErrorType(f *testing.F) {
	for _, seed := range []string{"", `{"errors":[{"error":"RateLimitError"}]}`, `{"errors":{}}`, `{"errors":[null,{"error":"x"}]}`, "[[["} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if kind := errorType(body); !slices.Contains([]string{"", rateLimit, dailyLimit, badRequest, notValid}, kind) {
			t.Errorf("%q became %q", body, kind)
		}
	})
}

// FuzzSplitKey: a key that is taken gives two UUIDs, and nothing that could break
// out of the token they are written into.
func FuzzSplitKey(f *testing.F) {
	const service, secret = "26785a09-ab16-4eb0-8407-a37497a57506", "3d844edf-8d35-48ac-975b-e847b4f122b0"
	for _, seed := range []string{"", "a-" + service + "-" + secret, "a-b-c-" + service + "-" + secret, service + "-" + secret, "-" + service + "-" + secret} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		service, secret, err := splitKey(identity.Secret(key))
		if err == nil && (!uuid.MatchString(service) || !uuid.MatchString(secret.Reveal())) {
			t.Errorf("%q was taken", key)
		}
	})
}

// FuzzShown: no address becomes markup, a line or a letter that a text lacks.
func FuzzShown(f *testing.F) {
	for _, seed := range []string{"ann@example.com", "[x](http://y)@z", "a\nb@c", "siân@example.cymru", "\xff@x"} {
		f.Add(seed)
	}
	shape := regexp.MustCompile(`^[A-Za-z0-9@._+'&?-]{0,48}$`)
	f.Fuzz(func(t *testing.T, address string) {
		if got := shown(address); !shape.MatchString(got) {
			t.Errorf("%q became %q", address, got)
		}
	})
}
