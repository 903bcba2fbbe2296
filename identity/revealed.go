package identity

import "fmt"

// Revealed is [Details] in plain text, for whoever seals them: the types of Details
// refuse to be written.
type Revealed struct {
	NHSNumber     string `json:"nhs_number,omitempty"`
	GivenName     string `json:"given_name,omitempty"`
	FamilyName    string `json:"family_name,omitempty"`
	BirthDate     string `json:"birth_date,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Phone         string `json:"phone,omitempty"`
	PhoneVerified bool   `json:"phone_verified,omitempty"`
}

// Reveal returns the details in plain text.
func (d Details) Reveal() Revealed {
	return Revealed{
		NHSNumber: d.NHSNumber.Reveal(), GivenName: d.GivenName.Reveal(), FamilyName: d.FamilyName.Reveal(), BirthDate: d.BirthDate.Reveal(),
		Email: d.Email.Reveal(), EmailVerified: d.EmailVerified, Phone: d.Phone.Reveal(), PhoneVerified: d.PhoneVerified,
	}
}

// Details reads what [Details.Reveal] gave. Errors never tell a value.
func (r Revealed) Details() (Details, error) {
	out := Details{EmailVerified: r.EmailVerified, PhoneVerified: r.PhoneVerified}
	for _, f := range []struct {
		name, value string
		parse       func(string) error
	}{
		{"NHS number", r.NHSNumber, into(&out.NHSNumber, ParseNHSNumber)},
		{"given name", r.GivenName, into(&out.GivenName, ParseName)},
		{"family name", r.FamilyName, into(&out.FamilyName, ParseName)},
		{"birth date", r.BirthDate, into(&out.BirthDate, ParseBirthDate)},
		{"e-mail", r.Email, into(&out.Email, ParseEmail)},
		{"phone", r.Phone, into(&out.Phone, ParsePhone)},
	} {
		if f.value != "" && f.parse(f.value) != nil {
			return Details{}, fmt.Errorf("details: wanted the %s that was revealed, got something else", f.name)
		}
	}
	return out, nil
}

func into[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(s string) (err error) {
		*to, err = parse(s)
		return err
	}
}
