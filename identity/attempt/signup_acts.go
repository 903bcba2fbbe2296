package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
)

// BeginSignUp begins a sign-up in that browser, in the place of an earlier one.
func (r *Attempts) BeginSignUp(ctx context.Context, a Attempt) (SignUp, error) {
	s := SignUp{Trip: a}
	var err error
	s.Journey, err = r.begin(ctx, SigningUp, a.Browser, s.body())
	return s, err
}

// SignUp returns the sign-up of that browser, or [identity.ErrNotFound]. One that
// was left alone on a shared device comes back without anything of the patient.
func (r *Attempts) SignUp(ctx context.Context, browser identity.Secret) (SignUp, error) {
	var body signUpBody
	j, err := r.resume(ctx, SigningUp, browser, &body)
	if err != nil {
		return SignUp{}, err
	}
	s, err := body.signUp(j)
	if err != nil {
		return SignUp{}, err
	}
	if !s.Fades.IsZero() && !r.now().Before(s.Fades) {
		return r.save(ctx, s.faded())
	}
	return s, nil
}

// Fade wipes what was typed in sign-ups that were left alone on somebody else's
// device. Calling it each minute keeps what their pages promise.
func (r *Attempts) Fade(ctx context.Context) error {
	due, err := r.journeys.FadingJourneys(ctx, r.now())
	if err != nil {
		return err
	}
	for _, j := range due {
		var body signUpBody
		if err := json.Unmarshal(j.Body, &body); err != nil {
			return errors.New("fade a sign-up: wanted a body of ours, got another")
		}
		s, err := body.signUp(j)
		if err != nil {
			return err
		}
		if _, err := r.save(ctx, s.faded()); err != nil && !errors.Is(err, identity.ErrConflict) { // its patient came back
			return err
		}
	}
	return nil
}

// save keeps the sign-up as it is now.
func (r *Attempts) save(ctx context.Context, s SignUp) (SignUp, error) {
	next := s.Journey
	next.Fades = s.fades(r.now().UTC().Truncate(time.Microsecond))
	j, err := r.keepAs(ctx, s.Journey, next, s.body())
	if err != nil {
		return s, err
	}
	s.Journey = j
	return s, nil
}

// on returns the sign-up of that browser if the page is open to it, or [ErrNotYet]
// with the sign-up: a step can't be skipped, repeated or reordered.
func (r *Attempts) on(ctx context.Context, browser identity.Secret, p Page) (SignUp, error) {
	s, err := r.SignUp(ctx, browser)
	if err != nil {
		return s, err
	}
	if !s.Open(p) {
		return s, ErrNotYet
	}
	return s, nil
}

// put lets change put what was given on that page into the sign-up.
func (r *Attempts) put(ctx context.Context, browser identity.Secret, p Page, change func(*SignUp) error) (SignUp, error) {
	s, err := r.on(ctx, browser, p)
	if err != nil {
		return s, err
	}
	if err := change(&s); err != nil {
		return s, err
	}
	return r.save(ctx, s)
}

// Helper is who sits beside the patient; the zero Helper is nobody.
type Helper struct {
	There bool
	Email identity.Email // the helper's own, so that they are not taken for the patient's
	Phone identity.Phone
}

// GiveDevice keeps whose device it is, and whether somebody helps.
func (r *Attempts) GiveDevice(ctx context.Context, browser identity.Secret, shared bool, h Helper) (SignUp, error) {
	return r.put(ctx, browser, PageDevice, func(s *SignUp) error {
		s.DeviceKnown, s.Trip.Shared = true, shared
		s.Helped, s.HelperEmail, s.HelperPhone = h.There, h.Email, h.Phone
		return nil
	})
}

// GiveEmail keeps the address and sends its code. An address that has an account
// gets a mail that says so, and the page is the same. It returns *[Wait] when this
// sign-up sent a code a moment ago.
func (r *Attempts) GiveEmail(ctx context.Context, browser identity.Secret, e identity.Email) (SignUp, error) {
	s, err := r.on(ctx, browser, PageEmail)
	switch {
	case err != nil:
		return s, err
	case !s.HelperEmail.IsZero() && s.HelperEmail.Canonical() == e.Canonical():
		return s, ErrHelpersContact
	}
	if s.Details.Email.Canonical() != e.Canonical() {
		s.EmailAt = time.Time{}
	}
	s.Details.Email, s.Details.EmailVerified = e, false
	_, err = r.accounts.ByOwnEmail(ctx, e)
	taken := err == nil
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return s, err
	}
	d := dispatch{bond: s.bond(code.SignUpEmail), kind: outbox.CodeSignUp, flow: s.ID, last: s.EmailAt}
	if taken {
		d.instead = outbox.AddressInUse
	}
	s.EmailAt = r.now().UTC()
	return r.sendFor(ctx, s, d)
}

// GivePhone keeps the number and sends its code, or keeps that there is none. It
// returns [ErrNotUKMobile], or *[Wait].
func (r *Attempts) GivePhone(ctx context.Context, browser identity.Secret, p identity.Phone) (SignUp, error) {
	s, err := r.on(ctx, browser, PagePhone)
	switch {
	case err != nil:
		return s, err
	case p.IsZero():
		s.NoPhone, s.Details.Phone, s.Details.PhoneVerified, s.PhoneAt = true, p, false, time.Time{}
		return r.save(ctx, s)
	case !p.UKMobile():
		return s, ErrNotUKMobile
	case !s.HelperPhone.IsZero() && s.HelperPhone.Canonical() == p.Canonical():
		return s, ErrHelpersContact
	}
	if s.Details.Phone.Canonical() != p.Canonical() {
		s.PhoneAt = time.Time{}
	}
	s.NoPhone, s.Details.Phone, s.Details.PhoneVerified = false, p, false
	d := dispatch{bond: s.bond(code.SignUpPhone), kind: outbox.CodeSignUp, flow: s.ID, last: s.PhoneAt}
	s.PhoneAt = r.now().UTC()
	return r.sendFor(ctx, s, d)
}

// bond is what a code of this sign-up is bound to.
func (s SignUp) bond(p code.Purpose) code.Bond {
	b := code.Bond{Purpose: p, Contact: s.Details.Email.Contact(), Browser: s.Browser}
	if p == code.SignUpPhone {
		b.Contact = s.Details.Phone.Contact()
	}
	return b
}

// sendFor sends a code and keeps the sign-up, in one act. A language is not known
// before there is an account: the message is bilingual.
func (r *Attempts) sendFor(ctx context.Context, s SignUp, d dispatch) (SignUp, error) {
	kept := s
	err := r.send(ctx, d, func(ctx context.Context) (err error) {
		kept, err = r.save(ctx, s) // s stays as it was read: the act may run again
		return err
	})
	return kept, err
}

// Resend sends a new code in the place of the one before, on the page of a code.
func (r *Attempts) Resend(ctx context.Context, browser identity.Secret, p Page) (SignUp, error) {
	s, err := r.on(ctx, browser, p)
	switch {
	case err != nil:
		return s, err
	case p == PageEmailCode:
		return r.GiveEmail(ctx, browser, s.Details.Email)
	case p == PagePhoneCode:
		return r.GivePhone(ctx, browser, s.Details.Phone)
	}
	return s, ErrNotYet
}

// GiveCode judges the code of that page. The errors are those of [code.Codes.Try].
func (r *Attempts) GiveCode(ctx context.Context, browser identity.Secret, p Page, typed string) (SignUp, error) {
	s, err := r.on(ctx, browser, p)
	if err != nil {
		return s, err
	}
	purpose := code.SignUpEmail
	if p == PagePhoneCode {
		purpose = code.SignUpPhone
	}
	if err := r.own.Codes.Try(ctx, s.bond(purpose), typed); err != nil {
		return s, err
	}
	if purpose == code.SignUpEmail {
		s.Details.EmailVerified = true
	} else {
		s.Details.PhoneVerified, s.PhoneProvedAt = true, r.now().UTC()
	}
	return r.save(ctx, s)
}

// GiveName keeps the name.
func (r *Attempts) GiveName(ctx context.Context, browser identity.Secret, given, family identity.Name) (SignUp, error) {
	return r.put(ctx, browser, PageName, func(s *SignUp) error {
		s.Details.GivenName, s.Details.FamilyName = given, family
		return nil
	})
}

// GiveBirthDate keeps the birth date. Of a patient who is too young nothing is
// kept: [ErrTooYoung].
func (r *Attempts) GiveBirthDate(ctx context.Context, browser identity.Secret, born identity.BirthDate) (SignUp, error) {
	s, err := r.on(ctx, browser, PageBirthDate)
	if err != nil {
		return s, err
	}
	if born.AgeOn(r.now()) < r.own.Rules.MinimumAge {
		return s, errors.Join(ErrTooYoung, r.journeys.EndJourney(ctx, s.ID))
	}
	s.Details.BirthDate = born
	return r.save(ctx, s)
}

// GiveNumber keeps the NHS number, or that the patient does not know it.
func (r *Attempts) GiveNumber(ctx context.Context, browser identity.Secret, n identity.NHSNumber) (SignUp, error) {
	if strings.HasPrefix(n.Reveal(), "9") && !r.own.Rules.TestNumbers {
		s, err := r.on(ctx, browser, PageNumber)
		return s, errors.Join(err, ErrTestNumber)
	}
	return r.put(ctx, browser, PageNumber, func(s *SignUp) error {
		s.Details.NHSNumber, s.NumberUnknown = n, n.IsZero()
		return nil
	})
}

// GivePostcode keeps where a patient lives who does not know the number.
func (r *Attempts) GivePostcode(ctx context.Context, browser identity.Secret, p identity.Postcode) (SignUp, error) {
	return r.put(ctx, browser, PagePostcode, func(s *SignUp) error {
		s.Postcode = p
		return nil
	})
}

// WeakPassword says why a password is not taken.
type WeakPassword struct{ Fault password.Fault }

// Error says that the password is weak.
func (w *WeakPassword) Error() string { return "weak password: " + string(w.Fault) }

// GivePassword judges and hashes the password; it is nowhere kept itself. It
// returns *[WeakPassword], or [password.ErrBusy].
func (r *Attempts) GivePassword(ctx context.Context, browser identity.Secret, pw identity.Secret) (SignUp, error) {
	s, err := r.on(ctx, browser, PagePassword)
	if err != nil {
		return s, err
	}
	if fault := password.Judge(pw, r.contextWords(s.Details)); fault != "" {
		return s, &WeakPassword{fault}
	}
	if s.Password, err = r.own.Passwords.Prepare(ctx, pw, password.Anyone); err != nil {
		return s, err
	}
	return r.save(ctx, s)
}

// contextWords are what somebody who knows of the patient would try first.
func (r *Attempts) contextWords(d identity.Details) []string {
	words := append([]string{}, r.own.Rules.Organisation...)
	local, _, _ := strings.Cut(d.Email.Reveal(), "@")
	return append(words, d.Email.Reveal(), local, d.GivenName.Reveal(), d.FamilyName.Reveal(), d.BirthDate.Reveal(), d.Phone.Reveal(), d.NHSNumber.Reveal())
}

// Confirm opens the account on what the patient checked, and logs them in. What the
// register says is asked before; that it could not be confirmed is told on the page
// with the reference, and is no error. It returns [ErrTaken] for the loser of two
// browsers.
func (r *Attempts) Confirm(ctx context.Context, browser identity.Secret, seat Seat, reference string) (SignUp, Login, error) {
	s, err := r.on(ctx, browser, PageCheck)
	if err != nil {
		return s, Login{}, err
	}
	v, err := r.prove(ctx, s)
	if err != nil {
		return s, Login{}, err
	}
	opened, login, err := r.openAs(ctx, s, v, seat, reference)
	if errors.Is(err, identity.ErrConflict) && v.Level >= identity.P5 {
		// Somebody proved that number meanwhile, or the address was taken: without the
		// number, only the latter can be.
		v = verdict{Level: identity.P0, Basis: identity.BasisContacts, Failed: []string{"nhs_number"}, Cause: "number-proved-by-another"}
		opened, login, err = r.openAs(ctx, s, v, seat, reference)
	}
	if errors.Is(err, identity.ErrConflict) {
		return s, Login{}, ErrTaken
	}
	return opened, login, err
}

// openAs opens the account on that verdict, in one act.
func (r *Attempts) openAs(ctx context.Context, s SignUp, v verdict, seat Seat, reference string) (opened SignUp, login Login, err error) {
	e := &audit.Event{Actor: audit.Patient}
	err = r.ledger.Act(ctx, e, func(ctx context.Context) (err error) {
		opened = s // the act may run again
		login, err = r.make(ctx, &opened, v, seat, reference, e)
		return err
	})
	return opened, login, err
}

// make makes the account, binds its factors and gives the session, inside the act.
func (r *Attempts) make(ctx context.Context, s *SignUp, v verdict, seat Seat, reference string, e *audit.Event) (Login, error) {
	details := s.Details
	if !v.Entry.NHSNumber.IsZero() { // found by the postcode, or superseded
		details.NHSNumber = v.Entry.NHSNumber
	}
	acc, err := r.accounts.Open(ctx, account.SignUp{
		Details: details, Level: v.Level, Basis: v.Basis, Language: s.Trip.Language, Helped: s.Helped,
	})
	if err != nil {
		return Login{}, err
	}
	if err := r.bind(ctx, acc.ID, *s, v.Level); err != nil {
		return Login{}, err
	}
	login, err := r.seat(ctx, s.Trip, acc, identity.Evidence{Own: s.evidence(v, r.now().UTC())}, seat, e)
	if err != nil {
		return Login{}, err
	}
	if err := r.rememberBrowser(ctx, SecondStep{Trip: s.Trip, Known: true}, acc, seat, login, false); err != nil {
		return Login{}, err
	}
	s.Account, s.Basis = acc.ID, v.Basis
	if v.Cause != "" {
		s.Cause, s.Reference = v.Cause, reference
		refused := audit.Event{
			Kind: audit.ProofRefused, Result: audit.Refused, Actor: audit.Patient, Account: acc.ID, Reference: reference, Cause: v.Cause, Fields: v.Failed,
		}
		if err := r.ledger.Record(ctx, refused); err != nil {
			return Login{}, err
		}
	}
	if err := r.tellOfSignUp(ctx, acc, *s, v); err != nil {
		return Login{}, err
	}
	// The journey goes on under the browser's new value: the card is still to come.
	next := s.Journey
	next.Browser, next.Fades, s.Trip.Browser = seat.Browser, time.Time{}, seat.Browser
	j, err := r.keepAs(ctx, s.Journey, next, s.body())
	s.Journey = j
	return login, err
}

// bind keeps the factors that the patient proved, at the level of this session.
func (r *Attempts) bind(ctx context.Context, id string, s SignUp, level identity.Proofing) error {
	record := s.Password
	record.Level, record.Set = level, r.now().UTC()
	if err := r.own.Passwords.Set(ctx, id, record); err != nil {
		return fmt.Errorf("keep the password: %w", err)
	}
	if s.NoPhone {
		return nil
	}
	if _, err := r.own.Factors.BindPhone(ctx, id, s.Details.Phone, level); err != nil {
		return fmt.Errorf("bind the phone: %w", err)
	}
	return nil
}

// evidence is what the patient proved in signing up.
func (s SignUp) evidence(v verdict, now time.Time) identity.Own {
	own := identity.Own{Level: v.Level, Basis: v.Basis, Password: identity.Use{Level: v.Level, At: now}}
	if !s.NoPhone {
		own.Possession, own.Means = identity.Use{Level: v.Level, At: s.PhoneProvedAt}, identity.MeansText
	}
	return own
}

// tellOfSignUp tells the patient, and whoever else has a contact on the entry.
func (r *Attempts) tellOfSignUp(ctx context.Context, acc account.Account, s SignUp, v verdict) error {
	if err := r.tell(ctx, s.Details.Email.Contact(), s.Trip.Language, outbox.SignedUp, nil); err != nil {
		return err
	}
	if v.Level < identity.P5 {
		return nil
	}
	return r.tellEntry(ctx, v.Entry, s.Details)
}

// tellEntry tells every other contact on the entry that somebody proved to be its
// patient: who is wronged by it must hear of it where they always did.
func (r *Attempts) tellEntry(ctx context.Context, entry identity.Entry, own identity.Details) error {
	for _, c := range entry.Contacts() {
		if c.Canonical() == own.Email.Contact().Canonical() || c.Canonical() == own.Phone.Contact().Canonical() {
			continue
		}
		if c.Channel == identity.BySMS && !entry.Mobile.UKMobile() {
			continue
		}
		if err := r.tell(ctx, c, "", outbox.RegisterContactTold, nil); err != nil {
			return err
		}
	}
	return nil
}

// DoneWithCard keeps that the patient has a second way in, or takes the risk.
func (r *Attempts) DoneWithCard(ctx context.Context, browser identity.Secret) (SignUp, error) {
	return r.put(ctx, browser, PageCard, func(s *SignUp) error {
		s.CardDone = true
		return nil
	})
}

// dispatch is one code to send.
type dispatch struct {
	bond     code.Bond
	kind     outbox.Kind
	instead  outbox.Kind // another message in its place, of which the page says nothing
	language string      // empty: bilingual
	flow     string      // id of the journey
	last     time.Time   // when this journey sent the last one
	loggedIn bool
}

// resendAfter is how soon a journey may send another code.
const resendAfter = time.Minute

// send mints a code and puts its message into the outbox, in one act with also. It
// does the same work whether the address is known or not, and whether its limit is
// spent or not: then nothing is sent, and nobody is told so. What this journey did
// itself is told: *[Wait].
func (r *Attempts) send(ctx context.Context, d dispatch, also func(context.Context) error) error {
	if until := d.last.Add(resendAfter); !d.last.IsZero() && r.now().Before(until) {
		return &Wait{until}
	}
	err := r.own.Sending.Take(ctx, r.own.Sending.Rates().Sending(d.bond.Contact, d.flow, d.loggedIn)...)
	var exceeded *limit.Exceeded
	if err != nil && !errors.As(err, &exceeded) {
		return err
	}
	if exceeded != nil && d.loggedIn { // their own phone, as their password has shown: they may know
		return &Wait{exceeded.Until}
	}
	e := &audit.Event{Kind: audit.CodeSent, Actor: audit.Patient, Account: d.bond.Account, Cause: string(d.bond.Purpose)}
	if exceeded != nil {
		e.Result, e.Cause = audit.Refused, "limit-"+exceeded.Rule
	}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error {
		if exceeded == nil {
			if err := r.mint(ctx, d); err != nil {
				return err
			}
		}
		return also(ctx)
	})
}

func (r *Attempts) mint(ctx context.Context, d dispatch) error {
	minted, err := r.own.Codes.Mint(ctx, d.bond)
	if err != nil {
		return err
	}
	now := r.now().UTC()
	m := outbox.Message{
		// A code that a newer one killed must not be sent.
		Thread: d.flow + " " + string(d.bond.Purpose), To: d.bond.Contact, Language: d.language, Kind: d.kind,
		Params: map[string]identity.Secret{"code": minted}, Due: now, Expires: now.Add(code.Life(d.bond.Purpose)),
	}
	if d.instead != "" {
		m.Kind, m.Params = d.instead, nil
	}
	return r.own.Outbox.Put(ctx, m)
}

// tell puts a message into the outbox, inside an act. Nobody to tell is no error.
func (r *Attempts) tell(ctx context.Context, to identity.Contact, language string, kind outbox.Kind, params map[string]identity.Secret) error {
	if to.IsZero() || !kind.Goes(to.Channel) {
		return nil
	}
	m := outbox.Message{To: to, Language: language, Kind: kind, Params: params}
	if len(params) > 0 {
		m.Expires = r.now().UTC().Add(linkLife)
	}
	return r.own.Outbox.Put(ctx, m)
}
