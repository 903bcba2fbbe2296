package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
)

// The pages of a recovery, in the order in which they come.
const (
	PageLink   Page = "link"   // the mailed link was followed: go on?
	PageFactor Page = "factor" // a texted or a printed code: the second factor is never stepped over
	PageHelp   Page = "help"   // there is no second factor to prove: only people can help
	PageReset  Page = "password"
)

// resetLink marks the row of a mailed link. It is found by the digest of its token
// in the place of a browser's, and spent by its first use.
const resetLink JourneyKind = "reset-link"

// linkLife is how long a mailed link works.
const linkLife = time.Hour

// linkBody is what stands behind a mailed link.
type linkBody struct {
	Account string `json:"account"`
	Epoch   int64  `json:"epoch"`
}

// Recovery is a forgotten password in flight, in the browser that followed the link.
type Recovery struct {
	Journey
	Token   identity.Secret // until it is spent
	Account string          // from then on
	Epoch   int64
	Ways    Ways      // in which the second factor can be proved
	SentAt  time.Time // when a code was texted last
	LetIn   bool      // people did it: their code stood in for the second factor
	Proved  bool      // the second factor was
}

type recoveryBody struct {
	Token   string    `json:"token,omitempty"`
	Account string    `json:"account,omitempty"`
	Epoch   int64     `json:"epoch,omitempty"`
	Ways    Ways      `json:"ways,omitempty"`
	SentAt  time.Time `json:"sent_at,omitzero"`
	LetIn   bool      `json:"let_in,omitempty"`
	Proved  bool      `json:"proved,omitempty"`
}

func (v Recovery) body() recoveryBody {
	return recoveryBody{v.Token.Reveal(), v.Account, v.Epoch, v.Ways, v.SentAt, v.LetIn, v.Proved}
}

func (b recoveryBody) recovery(j Journey) Recovery {
	return Recovery{j, identity.Secret(b.Token), b.Account, b.Epoch, b.Ways, b.SentAt, b.LetIn, b.Proved}
}

// Next returns the page that is due.
func (v Recovery) Next() Page {
	switch {
	case v.Account == "":
		return PageLink
	case v.Proved:
		return PageReset
	case len(v.Ways) > 0:
		return PageFactor
	}
	return PageHelp
}

// AskReset mails a link to an address that logs in here, and to any other a word
// that it does not. The page is the same, and so is the work. link makes the
// address of a token.
func (r *Attempts) AskReset(ctx context.Context, e identity.Email, link func(identity.Secret) string) error {
	err := r.own.Sending.Take(ctx, r.own.Sending.Rates().Sending(e.Contact(), "", false)...)
	var exceeded *limit.Exceeded
	if err != nil && !errors.As(err, &exceeded) {
		return err
	}
	acc, err := r.accounts.ByOwnEmail(ctx, e)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	known := err == nil && acc.State == account.Active
	event := &audit.Event{Kind: audit.CodeSent, Actor: audit.Patient, Account: acc.ID, Cause: "reset-link"}
	if exceeded != nil {
		event.Result, event.Cause = audit.Refused, "limit-"+exceeded.Rule
	}
	return r.ledger.Act(ctx, event, func(ctx context.Context) error {
		token := identity.NewToken()
		if _, err := r.begin(ctx, resetLink, token.Digest(), linkBody{acc.ID, acc.Epoch}); err != nil || exceeded != nil {
			return err
		}
		if !known {
			return r.tell(ctx, e.Contact(), "", outbox.NoAccount, nil)
		}
		now := r.now().UTC()
		return r.own.Outbox.Put(ctx, outbox.Message{
			To: e.Contact(), Language: acc.Language, Kind: outbox.ResetLink, Due: now, Expires: now.Add(linkLife),
			Params: map[string]identity.Secret{"link": identity.Secret(link(token))},
		})
	})
}

// FollowLink takes the token of a mailed link out of the address and into this
// browser. It looks at nothing: only the page's button spends it, so that a mail
// scanner that follows links spends nothing.
func (r *Attempts) FollowLink(ctx context.Context, browser identity.Digest, token identity.Secret) error {
	if !token.IsToken() {
		return identity.ErrNotFound
	}
	_, err := r.begin(ctx, Recovering, browser, Recovery{Token: token}.body())
	return err
}

// Recovery returns the recovery of that browser, or [identity.ErrNotFound]: also
// when the account has changed since.
func (r *Attempts) Recovery(ctx context.Context, browser identity.Secret) (Recovery, error) {
	v, _, err := r.recovery(ctx, browser)
	return v, err
}

func (r *Attempts) recovery(ctx context.Context, browser identity.Secret) (Recovery, account.Account, error) {
	var body recoveryBody
	j, err := r.resume(ctx, Recovering, browser, &body)
	if err != nil {
		return Recovery{}, account.Account{}, err
	}
	v := body.recovery(j)
	if r.now().Sub(v.Started) > linkLife {
		return v, account.Account{}, identity.ErrNotFound
	}
	if v.Account == "" {
		return v, account.Account{}, nil
	}
	acc, err := r.accounts.Account(ctx, v.Account)
	if err != nil {
		return v, acc, err
	}
	if acc.Epoch != v.Epoch || acc.State != account.Active {
		return v, acc, identity.ErrNotFound
	}
	return v, acc, nil
}

// SpendLink spends the mailed link, once, and texts a code where there is a phone.
// An old, used or unknown link is [identity.ErrNotFound]; which, nobody is told.
func (r *Attempts) SpendLink(ctx context.Context, browser identity.Secret) (Recovery, error) {
	v, _, err := r.recovery(ctx, browser)
	if err != nil || v.Account != "" {
		return v, err
	}
	e := &audit.Event{Kind: audit.LinkSpent, Actor: audit.Patient}
	spent := v
	err = r.ledger.Act(ctx, e, func(ctx context.Context) error {
		link, err := r.takeLink(ctx, v.Token)
		if err != nil {
			return err
		}
		spent = v
		spent.Token, spent.Account, spent.Epoch = "", link.Account, link.Epoch
		f, err := r.Factors(ctx, link.Account)
		if err != nil {
			return err
		}
		spent.Ways = f.Ways()
		e.Account = link.Account
		spent.Journey, err = r.keep(ctx, v.Journey, spent.body())
		return err
	})
	if err != nil {
		return v, err
	}
	if spent.Ways.first() != WayPhone {
		return spent, nil
	}
	return r.TextRecovery(ctx, browser)
}

// takeLink reads what stands behind the token and forgets it, inside the act.
func (r *Attempts) takeLink(ctx context.Context, token identity.Secret) (linkBody, error) {
	var link linkBody
	j, err := r.resume(ctx, resetLink, token, &link)
	if err != nil {
		return link, err
	}
	if link.Account == "" || r.now().Sub(j.Started) > linkLife {
		return link, identity.ErrNotFound
	}
	acc, err := r.accounts.Account(ctx, link.Account)
	if err != nil {
		return link, err
	}
	if acc.Epoch != link.Epoch || acc.State != account.Active {
		return link, identity.ErrNotFound
	}
	return link, r.journeys.EndJourney(ctx, j.ID)
}

// TextRecovery texts a code, the first one or a new one in its place. It returns
// *[Wait] when one was texted a moment ago.
func (r *Attempts) TextRecovery(ctx context.Context, browser identity.Secret) (Recovery, error) {
	v, acc, err := r.recovery(ctx, browser)
	if err != nil {
		return v, err
	}
	if v.Next() != PageFactor || !v.Ways.Has(WayPhone) {
		return v, ErrNotYet
	}
	bond, _, err := r.bond(ctx, v.ask(), WayPhone)
	if err != nil {
		return v, err
	}
	d := dispatch{bond: bond, kind: outbox.CodeRecover, language: acc.Language, flow: v.ID, last: v.SentAt}
	kept := v
	kept.SentAt = r.now().UTC()
	err = r.send(ctx, d, func(ctx context.Context) (err error) {
		kept.Journey, err = r.keep(ctx, v.Journey, kept.body())
		return err
	})
	if err != nil {
		return v, err
	}
	return kept, nil
}

// ask is what the patient is asked for.
func (v Recovery) ask() ask { return ask{v.Account, v.Browser, code.Recover} }

// ProveRecovery judges the second factor of that way. Errors are those of
// [Attempts.GiveSecond].
func (r *Attempts) ProveRecovery(ctx context.Context, browser identity.Secret, way Way, typed identity.Secret) (Recovery, error) {
	v, _, err := r.recovery(ctx, browser)
	if err != nil {
		return v, err
	}
	asked := v.Next() == PageFactor && v.Ways.Has(way)
	if letIn := way == WayRecovery && (v.Next() == PageFactor || v.Next() == PageHelp); !asked && !letIn {
		return v, ErrNotYet
	}
	if _, err := r.proveWay(ctx, v.ask(), way, typed); err != nil {
		return v, err
	}
	v.Proved, v.LetIn = true, way == WayRecovery
	v.Journey, err = r.keep(ctx, v.Journey, v.body())
	return v, err
}

// Reset sets the new password and ends everything older: sessions, remembered
// browsers, links and codes. It gives no session: the patient logs in, second
// factor included. Where people let the patient in, who has none, it gives the one
// session in which a new way can be set up. It returns *[WeakPassword] or
// [password.ErrBusy].
func (r *Attempts) Reset(ctx context.Context, browser identity.Secret, pw identity.Secret, trip Attempt, seat Seat) (Login, error) {
	v, acc, err := r.recovery(ctx, browser)
	if err != nil {
		return Login{}, err
	}
	if v.Next() != PageReset {
		return Login{}, ErrNotYet
	}
	link, _ := acc.Own()
	if fault := password.Judge(pw, r.contextWords(link.Details)); fault != "" {
		return Login{}, &WeakPassword{fault}
	}
	before, err := r.own.Passwords.Of(ctx, acc.ID)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return Login{}, err
	}
	record, err := r.own.Passwords.Prepare(ctx, pw, password.Anyone)
	if err != nil {
		return Login{}, err
	}
	var login Login
	// It was bound with a second factor proved, so it carries what the old one did.
	record.Level, record.Set = before.Level, r.now().UTC()
	e := &audit.Event{Kind: audit.PasswordChanged, Actor: audit.Patient, Account: acc.ID, Cause: "reset"}
	err = r.ledger.Act(ctx, e, func(ctx context.Context) error {
		if err := r.own.Passwords.Set(ctx, acc.ID, record); err != nil {
			return err
		}
		if err := r.accounts.EndAll(ctx, acc.ID, v.Epoch); err != nil {
			return err
		}
		if v.LetIn {
			if login, err = r.letInAnew(ctx, acc, record, trip, seat); err != nil {
				return err
			}
		}
		if err := r.own.Sending.Settle(ctx, passwordKey(link.Details.Email)); err != nil {
			return err
		}
		if err := r.tellAll(ctx, acc, outbox.PasswordChanged); err != nil {
			return err
		}
		return r.journeys.EndJourney(ctx, v.ID)
	})
	if err != nil {
		return Login{}, err
	}
	return login, nil
}

// tellAll tells the patient on every channel that they have.
func (r *Attempts) tellAll(ctx context.Context, acc account.Account, kind outbox.Kind) error {
	return r.tellEach(ctx, acc, kind, acc.Contacts())
}

// tellMail tells the patient by e-mail alone.
func (r *Attempts) tellMail(ctx context.Context, acc account.Account, kind outbox.Kind) error {
	return r.tellEach(ctx, acc, kind, []identity.Contact{mailOf(acc)})
}

// tellEach tells the patient at each of those addresses. One who wants no messages reads
// it among what happened on the account.
func (r *Attempts) tellEach(ctx context.Context, acc account.Account, kind outbox.Kind, to []identity.Contact) error {
	if acc.Quiet && !kind.Guards() {
		return nil
	}
	for _, c := range to {
		if err := r.tell(ctx, c, acc.Language, kind, nil); err != nil {
			return err
		}
	}
	return nil
}

// RemindEmail tells the owners of a proved phone, by text, which address they log in
// with. The page is the same whether there is one or not.
func (r *Attempts) RemindEmail(ctx context.Context, p identity.Phone) error {
	err := r.own.Sending.Take(ctx, r.own.Sending.Rates().Sending(p.Contact(), "", false)...)
	var exceeded *limit.Exceeded
	if err != nil && !errors.As(err, &exceeded) {
		return err
	}
	found, err := r.accounts.OwnByPhone(ctx, p)
	if err != nil {
		return err
	}
	e := &audit.Event{Kind: audit.CodeSent, Actor: audit.Patient, Cause: "login-reminder"}
	if exceeded != nil {
		e.Result, e.Cause = audit.Refused, "limit-"+exceeded.Rule
	}
	return r.ledger.Act(ctx, e, func(ctx context.Context) error {
		if exceeded != nil || !p.UKMobile() {
			return nil
		}
		for _, acc := range found {
			link, _ := acc.Own()
			params := map[string]identity.Secret{"address": identity.Secret(link.Details.Email.Reveal())}
			if err := r.tell(ctx, p.Contact(), acc.Language, outbox.LoginReminder, params); err != nil {
				return err
			}
		}
		return nil
	})
}
