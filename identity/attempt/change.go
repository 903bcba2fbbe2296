package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// ErrSame says that the new address is the one that the account has.
var ErrSame = errors.New("the account has that address")

// changeKinds says by which journey, code and message a new address of each channel
// is proved.
var changeKinds = map[identity.Channel]struct {
	journey JourneyKind
	purpose code.Purpose
	told    outbox.Kind // once it took place
}{
	identity.ByEmail: {ChangingEmail, code.ChangeEmail, outbox.EmailChanged},
	identity.BySMS:   {ChangingPhone, code.ChangePhone, outbox.PhoneChanged},
}

// MayChange returns [ErrStale] or [ErrHeld] unless the session may change the
// addresses of its account now: it may what it may to the factors, as an address
// opens an account, or brings it back. The session that people let in may too: its
// phone is bound at once, and a new e-mail address waits until what is held since then
// is held no more.
func (r *Attempts) MayChange(ctx context.Context, s session.Session) error {
	_, err := r.mayBind(ctx, s)
	return err
}

// Changing is a new address whose code is due, in the browser and session that asked.
type Changing struct {
	Journey
	Channel identity.Channel
	New     identity.Details // the address alone
	SentAt  time.Time
}

// changingBody is what is sealed of a [Changing].
type changingBody struct {
	Session string            `json:"session"` // handle
	Account string            `json:"account"`
	Epoch   int64             `json:"epoch"`
	New     identity.Revealed `json:"new"`
	SentAt  time.Time         `json:"sent_at"`
}

// Contact returns the new address.
func (c Changing) Contact() identity.Contact {
	return account.Change{Channel: c.Channel, New: c.New}.Contact()
}

// Changing returns the change of that channel whose code is due in that browser and
// session, or [identity.ErrNotFound].
func (r *Attempts) Changing(ctx context.Context, browser identity.Secret, s session.Session, by identity.Channel) (Changing, error) {
	var body changingBody
	j, err := r.resume(ctx, changeKinds[by].journey, browser, &body)
	if err != nil {
		return Changing{}, err
	}
	if body.Session != s.Handle || body.Account != s.Account || body.Epoch != s.Epoch {
		return Changing{}, identity.ErrNotFound
	}
	d, err := body.New.Details()
	return Changing{j, by, d, body.SentAt}, err
}

// AskEmail sends a code to the address that is to be the account's. One that has an
// account gets a mail that says so, and the page is the same. It returns [ErrStale],
// [ErrHeld], [ErrSame], or *[Wait].
func (r *Attempts) AskEmail(ctx context.Context, browser identity.Secret, s session.Session, e identity.Email) error {
	c := Changing{Channel: identity.ByEmail, New: identity.Details{Email: e}}
	link, err := r.toChange(ctx, s)
	switch {
	case err != nil:
		return err
	case link.Details.Email.Canonical() == e.Canonical():
		return ErrSame
	}
	_, err = r.accounts.ByOwnEmail(ctx, e)
	switch {
	case err == nil:
		return r.ask(ctx, browser, s, c, outbox.AddressTaken)
	case errors.Is(err, identity.ErrNotFound):
		return r.ask(ctx, browser, s, c, "")
	}
	return err
}

// AskPhone texts a code to the number that is to be the account's. It returns
// [ErrStale], [ErrHeld], [ErrSame], [ErrNotUKMobile], or *[Wait]. The number that the account
// has is bound anew where too many wrong codes have ended it.
func (r *Attempts) AskPhone(ctx context.Context, browser identity.Secret, s session.Session, p identity.Phone) error {
	if _, err := r.toChange(ctx, s); err != nil {
		return err
	}
	bound, err := r.own.Factors.Phone(ctx, s.Account)
	switch {
	case err != nil && !errors.Is(err, identity.ErrNotFound):
		return err
	case !p.UKMobile():
		return ErrNotUKMobile
	case err == nil && !bound.Off && bound.Number.Canonical() == p.Canonical():
		return ErrSame
	}
	return r.ask(ctx, browser, s, Changing{Channel: identity.BySMS, New: identity.Details{Phone: p}}, "")
}

// toChange returns the own link of the session's account, if that may change now.
func (r *Attempts) toChange(ctx context.Context, s session.Session) (account.Link, error) {
	if err := r.MayChange(ctx, s); err != nil {
		return account.Link{}, err
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return account.Link{}, err
	}
	link, own := acc.Own()
	if !own {
		return link, identity.ErrNotFound
	}
	return link, nil
}

// ask sends the code of a change and keeps what it is for, in one act. The limits of
// a journey are the account's here: another browser or session buys no more codes.
func (r *Attempts) ask(ctx context.Context, browser identity.Secret, s session.Session, c Changing, instead outbox.Kind) error {
	if browser == "" {
		return identity.ErrNotFound
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return err
	}
	last, err := r.Changing(ctx, browser, s, c.Channel)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	d := dispatch{
		bond: c.bond(browser, s), kind: outbox.CodeChange, instead: instead, language: acc.Language, flow: "change " + s.Account + " " + string(c.Channel),
	}
	if last.Contact().Canonical() == c.Contact().Canonical() {
		d.last = last.SentAt
	}
	body := changingBody{s.Handle, s.Account, s.Epoch, c.New.Reveal(), r.now().UTC()}
	return r.send(ctx, d, func(ctx context.Context) error {
		_, err := r.begin(ctx, changeKinds[c.Channel].journey, browser.Digest(), body)
		return err
	})
}

// bond is what the code of a change is bound to.
func (c Changing) bond(browser identity.Secret, s session.Session) code.Bond {
	return code.Bond{Purpose: changeKinds[c.Channel].purpose, Contact: c.Contact(), Browser: browser.Digest(), Account: s.Account}
}

// AskAgainFor sends a new code to the address whose code is due, in the place of the
// one before. The errors are those of the first one; [identity.ErrNotFound] says that
// none is due.
func (r *Attempts) AskAgainFor(ctx context.Context, browser identity.Secret, s session.Session, by identity.Channel) error {
	c, err := r.Changing(ctx, browser, s, by)
	switch {
	case err != nil:
		return err
	case by == identity.ByEmail:
		return r.AskEmail(ctx, browser, s, c.New.Email)
	}
	return r.AskPhone(ctx, browser, s, c.New.Phone)
}

// GiveChange judges the code of a new address. A right one is kept as a change that
// waits ([account.HoldFor]), and every address that the account has is told at once,
// with a link that stops it; link makes the address of a token. Guesses are counted
// by the account. The errors are those of [code.Codes.Try], *[Locked], and
// [identity.ErrNotFound] where none is due.
func (r *Attempts) GiveChange(
	ctx context.Context, browser identity.Secret, s session.Session, by identity.Channel, typed string, link func(identity.Secret) string,
) (account.Change, error) {
	c, err := r.Changing(ctx, browser, s, by)
	if err != nil {
		return account.Change{}, err
	}
	key, policy := "change:"+s.Account, r.own.Sending.Rates().Code
	policy.Ever = 0 // it is no factor yet that could be ended
	if err := r.pay(ctx, key, policy); err != nil {
		return account.Change{}, err
	}
	if err := r.own.Codes.Try(ctx, c.bond(browser, s), typed); err != nil {
		return account.Change{}, err
	}
	if err := r.own.Sending.Settle(ctx, key); err != nil {
		return account.Change{}, err
	}
	return r.hold(ctx, c, s, link)
}

// hold keeps the change and tells the old addresses, in one act.
func (r *Attempts) hold(ctx context.Context, c Changing, s session.Session, link func(identity.Secret) string) (account.Change, error) {
	var held account.Change
	next := c.New
	next.EmailVerified, next.PhoneVerified = c.Channel == identity.ByEmail, c.Channel == identity.BySMS
	e := &audit.Event{Kind: audit.ContactChangeAsked, Actor: audit.Patient, Account: s.Account, Session: s.Handle}
	err := r.ledger.Act(ctx, e, func(ctx context.Context) error {
		now, acc, err := r.owner(ctx, s)
		if err != nil {
			return err
		}
		asked := account.Change{Account: s.Account, Channel: c.Channel, New: next, Level: bindsAt(now), Epoch: now.Epoch}
		if c.Channel == identity.BySMS && LetIn(now) {
			held = asked
			return errors.Join(r.rebind(ctx, held, acc, e), r.journeys.EndJourney(ctx, c.ID))
		}
		var token identity.Secret
		held, token, err = r.accounts.Hold(ctx, asked)
		if err != nil {
			return err
		}
		e.Fields = []string{held.Field()}
		if err := r.tellHeld(ctx, acc, held, identity.Secret(link(token))); err != nil {
			return err
		}
		return r.journeys.EndJourney(ctx, c.ID)
	})
	return held, err
}

// rebind binds the phone of a patient whom people let in, who has no other way to come
// back: at once, as it is held like all that is set up since, and carries nothing
// until the old addresses had their time to stop it.
func (r *Attempts) rebind(ctx context.Context, c account.Change, acc account.Account, e *audit.Event) error {
	e.Kind, e.Cause, e.Fields = audit.ContactChanged, "let-in", []string{c.Field()}
	if err := r.accounts.Rebind(ctx, c); err != nil {
		return err
	}
	return r.bindNumber(ctx, c, acc)
}

// bindNumber makes the new number the account's factor, with no guess against it, and
// tells old and new addresses.
func (r *Attempts) bindNumber(ctx context.Context, c account.Change, acc account.Account) error {
	if _, err := r.own.Factors.BindPhone(ctx, acc.ID, c.New.Phone, c.Level); err != nil {
		return err
	}
	if err := r.own.Sending.Settle(ctx, guessKey(WayPhone, acc.ID)); err != nil {
		return err
	}
	return r.tellEach(ctx, acc, changeKinds[c.Channel].told, append(acc.Contacts(), c.Contact()))
}

// warning is the thread of what is told of a change that waits: an earlier one that
// was not sent yet has a link that is dead.
func warning(c account.Change, by identity.Channel) string {
	return "warning " + c.Account + " " + string(c.Channel) + " " + string(by)
}

// tellHeld tells every address of the account that a change waits, as long as that
// does.
func (r *Attempts) tellHeld(ctx context.Context, acc account.Account, c account.Change, link identity.Secret) error {
	for _, to := range acc.Contacts() {
		err := r.own.Outbox.Put(ctx, outbox.Message{
			Thread: warning(c, to.Channel), To: to, Language: acc.Language, Kind: outbox.ChangeAsked, Expires: c.Opens,
			Params: map[string]identity.Secret{"link": link},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unwarn takes back what was not sent yet of a change that waits no longer.
func (r *Attempts) unwarn(ctx context.Context, c account.Change) error {
	for _, by := range outbox.Channels {
		if err := r.own.Outbox.Withdraw(ctx, warning(c, by)); err != nil {
			return err
		}
	}
	return nil
}

// stopLink marks the journey of a browser that followed a link to stop a change.
const stopLink JourneyKind = "stop-change"

type stopBody struct {
	Token string `json:"token"`
}

// FollowStop takes the token of a link that stops a change out of the address and
// into this browser. It looks at nothing, as [Attempts.FollowLink].
func (r *Attempts) FollowStop(ctx context.Context, browser identity.Digest, token identity.Secret) error {
	if !token.IsToken() {
		return identity.ErrNotFound
	}
	_, err := r.begin(ctx, stopLink, browser, stopBody{token.Reveal()})
	return err
}

// Stoppable reports whether the link that this browser followed still stops a change.
// It only reads.
func (r *Attempts) Stoppable(ctx context.Context, browser identity.Secret) (bool, error) {
	var body stopBody
	_, err := r.resume(ctx, stopLink, browser, &body)
	if err == nil {
		_, err = r.accounts.ToStop(ctx, identity.Secret(body.Token))
	}
	if errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// StopByLink stops the change whose link this browser followed, and ends all that is
// open of the account: the one who stops it says that it was not they who asked, so
// somebody else is logged in. It returns [identity.ErrNotFound] when there is nothing
// to stop any more.
func (r *Attempts) StopByLink(ctx context.Context, browser identity.Secret, reference string) (account.Change, error) {
	var c account.Change
	var body stopBody
	j, err := r.resume(ctx, stopLink, browser, &body)
	if err != nil {
		return c, err
	}
	e := &audit.Event{Kind: audit.ContactChangeStopped, Actor: audit.Patient, Cause: "stopped-by-link", Reference: reference}
	err = r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		var err error
		if c, err = r.accounts.ToStop(ctx, identity.Secret(body.Token)); err != nil {
			return err
		}
		if err := r.stop(ctx, c.ID, e); err != nil {
			return err
		}
		if err := r.accounts.EndAll(ctx, c.Account, c.Epoch); err != nil {
			return err
		}
		return r.journeys.EndJourney(ctx, j.ID)
	})
	return c, err
}

// StopChange stops the change of that channel from a session of its account, which
// goes on. It returns [identity.ErrNotFound] when none waits.
func (r *Attempts) StopChange(ctx context.Context, s session.Session, by identity.Channel) error {
	e := &audit.Event{Kind: audit.ContactChangeStopped, Actor: audit.Patient, Session: s.Handle, Cause: "stopped-on-page"}
	return r.ledger.TakeAway(ctx, e, func(ctx context.Context) error {
		acc, err := r.accounts.Account(ctx, s.Account)
		if err != nil {
			return err
		}
		held, err := r.accounts.Waiting(ctx, acc)
		if err != nil {
			return err
		}
		for _, c := range held {
			if c.Channel == by {
				return r.stop(ctx, c.ID, e)
			}
		}
		return identity.ErrNotFound
	})
}

// stop takes the change and tells the addresses that the account keeps, inside the
// act.
func (r *Attempts) stop(ctx context.Context, id string, e *audit.Event) error {
	c, acc, err := r.accounts.Take(ctx, id)
	if err != nil {
		return err
	}
	e.Account, e.Fields = acc.ID, []string{c.Field()}
	return r.tellStopped(ctx, c, acc)
}

func (r *Attempts) tellStopped(ctx context.Context, c account.Change, acc account.Account) error {
	if err := r.unwarn(ctx, c); err != nil {
		return err
	}
	if acc.State != account.Active {
		return nil
	}
	return r.tellAll(ctx, acc, outbox.ChangeStopped)
}

// ApplyChanges lets the changes take place whose time has come, and drops those that
// can't any more, each in an act of its own. Calling it every so often is right;
// replicas may do so at once.
func (r *Attempts) ApplyChanges(ctx context.Context) error {
	due, err := r.accounts.Due(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, id := range due {
		err := r.settleChange(ctx, id, r.applied)
		if errors.Is(err, account.ErrTaken) { // the database decides between two who want one address
			err = r.settleChange(ctx, id, func(ctx context.Context, c account.Change, acc account.Account, e *audit.Event) error {
				return r.dropped(ctx, c, acc, e, "new-address-taken")
			})
		}
		if !errors.Is(err, identity.ErrNotFound) { // another replica settled it
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// settleChange takes the change and does with it what how says, in one act. One that
// something ended is dropped.
func (r *Attempts) settleChange(
	ctx context.Context, id string, how func(context.Context, account.Change, account.Account, *audit.Event) error,
) error {
	e := &audit.Event{Actor: audit.System}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error {
		c, acc, err := r.accounts.Take(ctx, id)
		e.Account, e.Fields = acc.ID, []string{c.Field()}
		switch {
		case errors.Is(err, identity.ErrSpent):
			return r.dropped(ctx, c, acc, e, "account-changed-since")
		case err != nil:
			return err
		}
		return how(ctx, c, acc, e)
	})
}

func (r *Attempts) dropped(ctx context.Context, c account.Change, acc account.Account, e *audit.Event, cause string) error {
	e.Kind, e.Cause = audit.ContactChangeDropped, cause
	return r.tellStopped(ctx, c, acc)
}

// applied puts the new address in the place of the old one. A phone is a new factor:
// it carries the level of the session that asked for it, and no wrong guess at the
// one before counts against it. Old and new addresses are told.
func (r *Attempts) applied(ctx context.Context, c account.Change, acc account.Account, e *audit.Event) error {
	e.Kind, e.Cause = audit.ContactChanged, ""
	if err := r.accounts.Apply(ctx, c); err != nil {
		return err
	}
	if err := r.unwarn(ctx, c); err != nil {
		return err
	}
	if c.Channel == identity.BySMS {
		return r.bindNumber(ctx, c, acc)
	}
	return r.tellEach(ctx, acc, changeKinds[c.Channel].told, append(acc.Contacts(), c.Contact()))
}
