package attempt

import (
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// trip is what a journey keeps of an [Attempt].
type trip struct {
	Session  string `json:"session,omitempty"`
	Return   Return `json:"return,omitzero"`
	Door     Door   `json:"door"`
	Shared   bool   `json:"shared,omitempty"`
	InApp    bool   `json:"in_app,omitempty"`
	Language string `json:"language"`
}

func tripOf(a Attempt) trip {
	return trip{a.Session, a.Return, a.Door, a.Shared, a.InApp, a.Language}
}

// attempt returns the trip as an attempt of that browser.
func (t trip) attempt(id string, browser identity.Digest) Attempt {
	return Attempt{
		ID: id, Browser: browser, Session: t.Session, Return: t.Return, Door: t.Door, Shared: t.Shared, InApp: t.InApp, Language: t.Language,
		Spent: time.Unix(0, 0),
	}
}

// signUpBody is what is sealed of a [SignUp], whose own types refuse to be written.
type signUpBody struct {
	Trip          trip              `json:"trip"`
	DeviceKnown   bool              `json:"device_known,omitempty"`
	Helped        bool              `json:"helped,omitempty"`
	Helper        identity.Revealed `json:"helper,omitzero"`
	Details       identity.Revealed `json:"details,omitzero"`
	NoPhone       bool              `json:"no_phone,omitempty"`
	NumberUnknown bool              `json:"number_unknown,omitempty"`
	Postcode      string            `json:"postcode,omitempty"`
	PHC           string            `json:"phc,omitempty"`
	Pepper        uint32            `json:"pepper,omitempty"`
	EmailAt       time.Time         `json:"email_at,omitzero"`
	PhoneAt       time.Time         `json:"phone_at,omitzero"`
	PhoneProvedAt time.Time         `json:"phone_proved_at,omitzero"`
	Account       string            `json:"account,omitempty"`
	Basis         identity.Basis    `json:"basis,omitempty"`
	Cause         string            `json:"cause,omitempty"`
	Reference     string            `json:"reference,omitempty"`
	CardDone      bool              `json:"card_done,omitempty"`
}

func (s SignUp) body() signUpBody {
	return signUpBody{
		Trip: tripOf(s.Trip), DeviceKnown: s.DeviceKnown, Helped: s.Helped,
		Helper:  identity.Details{Email: s.HelperEmail, Phone: s.HelperPhone}.Reveal(),
		Details: s.Details.Reveal(), NoPhone: s.NoPhone, NumberUnknown: s.NumberUnknown, Postcode: s.Postcode.Reveal(),
		PHC: string(s.Password.PHC), Pepper: s.Password.Pepper, EmailAt: s.EmailAt, PhoneAt: s.PhoneAt, PhoneProvedAt: s.PhoneProvedAt,
		Account: s.Account, Basis: s.Basis, Cause: s.Cause, Reference: s.Reference, CardDone: s.CardDone,
	}
}

func (b signUpBody) signUp(j Journey) (SignUp, error) {
	details, err := b.Details.Details()
	if err != nil {
		return SignUp{}, fmt.Errorf("resume the sign-up: %w", err)
	}
	helper, err := b.Helper.Details()
	if err != nil {
		return SignUp{}, fmt.Errorf("resume the sign-up: %w", err)
	}
	s := SignUp{
		Journey: j, Trip: b.Trip.attempt(j.ID, j.Browser), DeviceKnown: b.DeviceKnown, Helped: b.Helped,
		HelperEmail: helper.Email, HelperPhone: helper.Phone, Details: details, NoPhone: b.NoPhone, NumberUnknown: b.NumberUnknown,
		Password: password.Record{PHC: password.PHC(b.PHC), Pepper: b.Pepper},
		EmailAt:  b.EmailAt, PhoneAt: b.PhoneAt, PhoneProvedAt: b.PhoneProvedAt,
		Account: b.Account, Basis: b.Basis, Cause: b.Cause, Reference: b.Reference, CardDone: b.CardDone,
	}
	if b.Postcode != "" {
		if s.Postcode, err = identity.ParsePostcode(b.Postcode); err != nil {
			return SignUp{}, fmt.Errorf("resume the sign-up: %w", err)
		}
	}
	return s, nil
}
