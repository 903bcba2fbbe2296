package provider

import (
	"context"
	"errors"
	"fmt"
	"mime"

	"github.com/dilys-id/dilys/identity"
)

// userinfo fetches what the provider says of the subject, at once: NHS login's
// access token lives five minutes. The subject must be the ID token's (OpenID
// Connect Core §5.3.2), or the answer is another person's.
func (p *Provider) userinfo(ctx context.Context, m *metadata, access identity.Secret, subject string) (claims, *Refusal) {
	doc, err := p.get(ctx, m.userinfo, access)
	var status statusError
	switch {
	case errors.As(err, &status) && !status.unavailable():
		return nil, &Refusal{Kind: Other, Cause: causeUserinfoNo, Err: err}
	case err != nil:
		return nil, down(causeUserinfo, fmt.Errorf("userinfo: %w", err))
	}
	if media, _, err := mime.ParseMediaType(doc.contentType); err != nil || media != "application/json" {
		return nil, refuse(BadToken, causeUserinfoOdd)
	}
	c, err := parseClaims(doc.body)
	if err != nil {
		return nil, refuse(BadToken, causeUserinfoOdd)
	}
	if sub, ok := c.text("sub"); !ok || sub != subject {
		return nil, refuse(BadToken, causeUserinfoOther)
	}
	return c, nil
}

// speaksOfTwo reports whether the claims name someone beside the subject: a carer
// at the keyboard, or people to act for. The name alone is enough; who looks at
// its value has begun to support it.
func speaksOfTwo(c claims) bool { return c.has("act") || c.has("delegations") }

// detailsOf reads what a document says of the patient, and the names of claims
// that are there and can't be read: those count as absent. An address and whether
// it was verified are taken from one document, never from two. An NHS number
// below P5 is only what somebody typed.
func detailsOf(c claims, reached identity.Proofing) (d identity.Details, unread []string) {
	given := func(name string, parse func(string) error) {
		if !c.has(name) {
			return
		}
		if text, ok := c.text(name); !ok || parse(text) != nil {
			unread = append(unread, name)
		}
	}
	if reached >= identity.P5 {
		given("nhs_number", into(&d.NHSNumber, identity.ParseNHSNumber))
	}
	given("given_name", into(&d.GivenName, identity.ParseName))
	given("family_name", into(&d.FamilyName, identity.ParseName))
	given("birthdate", into(&d.BirthDate, identity.ParseBirthDate))
	given("email", into(&d.Email, identity.ParseEmail))
	given("phone_number", into(&d.Phone, identity.ParsePhone))
	d.EmailVerified = !d.Email.IsZero() && c.yes("email_verified")
	d.PhoneVerified = !d.Phone.IsZero() && c.yes("phone_number_verified")
	return d, unread
}

// into returns a func that keeps what parse reads.
func into[T any](field *T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		v, err := parse(s)
		if err == nil {
			*field = v
		}
		return err
	}
}

// differ reports whether two documents name different people. What one leaves out
// is no difference.
func differ(a, b identity.Details) bool {
	return apart(a.NHSNumber, b.NHSNumber) || apart(a.BirthDate, b.BirthDate) || apart(a.FamilyName, b.FamilyName)
}

func apart[T interface {
	comparable
	IsZero() bool
}](a, b T,
) bool {
	return !a.IsZero() && !b.IsZero() && a != b
}
