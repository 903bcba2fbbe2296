package identity_test

import (
	"fmt"
	"testing"

	"github.com/dilys-id/dilys/identity"
)

func TestPhoneIsOneHoweverItIsWritten(t *testing.T) {
	for _, written := range []string{"07700 900123", "07700900123", "+447700900123", "+44 7700 900123", "0044 7700 900123", "+44 (0)7700 900123", "447700900123"} {
		p, err := identity.ParsePhone(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if got := p.Canonical(); got != "+447700900123" {
			t.Errorf("%s: wanted +447700900123, got %s", written, got)
		}
	}
}

func TestUKMobile(t *testing.T) {
	for name, row := range map[string]struct {
		number string
		want   bool
	}{
		"a mobile":              {"07400 123456", true},
		"for fiction":           {"07700 900123", true},
		"Jersey's 07700":        {"07700 800123", false},
		"Jersey":                {"07797 712345", false},
		"Guernsey":              {"+447911123456", false},
		"Isle of Man":           {"07624 123456", false},
		"a pager":               {"07640 123456", false},
		"a personal number":     {"070 1234 5678", false},
		"a landline":            {"01632 960123", false},
		"premium":               {"09012345678", false},
		"abroad":                {"+33612345678", false},
		"a digit too few":       {"07400 12345", false},
		"a digit too many":      {"07400 1234567", false},
		"+44 of something else": {"+44121", false},
	} {
		p, err := identity.ParsePhone(row.number)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.UKMobile(); got != row.want {
			t.Errorf("%s: wanted %v, got %v", name, row.want, got)
		}
	}
}

func TestContactHidesItsAddress(t *testing.T) {
	e, err := identity.ParseEmail("Sian.Test@example.com")
	if err != nil {
		t.Fatal(err)
	}
	c := e.Contact()
	for _, shown := range []string{fmt.Sprint(c), fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c)} {
		if shown != "REDACTED" {
			t.Errorf("wanted REDACTED, got %s", shown)
		}
	}
	if c.Canonical() != "email:sian.test@example.com" || c.Reveal() != "Sian.Test@example.com" {
		t.Error("the address changed")
	}
}
