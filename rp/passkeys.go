package rp

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/passkey"
)

const (
	passkeysPath = "/account/passkeys"
	offerPath    = passkeysPath + "/offer"
)

// credentialField is where the script puts what the browser answered.
const credentialField = "credential"

// takesPasskeys reports whether anybody may come back with a passkey here.
func (s *Server) takesPasskeys() bool {
	return s.passkeys != nil && (s.signUp.Open || slices.ContainsFunc(s.providers, func(p Provider) bool { return p.Passkeys }))
}

// askPasskey returns what a page of log-in asks the browser with: it is the same for
// everybody, as it names no passkey. nil: nobody has one here.
func (v *visit) askPasskey(to attempt.Return, shared bool) (*page.PasskeyAsk, error) {
	if !v.takesPasskeys() {
		return nil, nil
	}
	ask, err := v.ask(factor.ForLogin, passkey.Owner{}, v.ensureBrowser(shared))
	if err != nil {
		return nil, err
	}
	ask.Action, ask.Fields = "/login/passkey", page.Carried(to.Request, to.Path, shared)
	return ask, nil
}

func (v *visit) ask(p factor.Purpose, o passkey.Owner, browser identity.Secret) (*page.PasskeyAsk, error) {
	challenge, err := v.factors.NewChallenge(p, browser.Digest())
	if err != nil {
		return nil, err
	}
	options, err := v.passkeys.ToAsk(o, challenge)
	return &page.PasskeyAsk{Options: options}, err
}

// keyProof judges what the browser answered for that purpose: the challenge is spent
// before anything else is looked at.
func (v *visit) keyProof(p factor.Purpose) (attempt.KeyProof, passkey.Given, error) {
	given, err := passkey.ReadGiven(v.field(credentialField))
	if err != nil {
		return attempt.KeyProof{}, given, err
	}
	if v.browser == "" {
		return attempt.KeyProof{}, given, identity.ErrForeign
	}
	if err := v.factors.SpendChallenge(v.r.Context(), p, v.browser.Digest(), given.Challenge); err != nil {
		return attempt.KeyProof{}, given, err
	}
	key, err := v.factors.PasskeyOf(v.r.Context(), given.Credential)
	if err != nil {
		return attempt.KeyProof{}, given, err
	}
	proved, err := v.passkeys.Check(key, given)
	return attempt.KeyProof{Key: key, Use: proved.Use, Cloned: proved.Cloned}, given, err
}

// logInByPasskey judges a passkey's answer (POST /login/passkey).
func (s *Server) logInByPasskey(v *visit) error {
	if !s.takesPasskeys() {
		return s.notFound(v)
	}
	to, waiting, err := v.destination(v.r.PostForm)
	if err != nil {
		return err
	}
	v.path = startAgain(to)
	if err := v.slow(); err != nil {
		return err
	}
	shared := v.field("device") == "shared"
	k, given, err := v.keyProof(factor.ForLogin)
	if failed := v.keyFailed(err, given, startAgain(to)); failed != nil {
		return v.show(http.StatusUnprocessableEntity, *failed)
	}
	if err != nil {
		return err
	}
	a := attempt.Attempt{
		Browser: v.browser.Digest(), Return: to, Door: waiting.Door, Shared: shared, InApp: inNHSApp(v.r.UserAgent()), Language: v.lang,
	}
	if v.session != nil {
		a.Session = v.session.Handle
	}
	browser := identity.NewToken()
	login, err := v.attempts.GivePasskey(v.r.Context(), a, k, v.seatWith(browser))
	if again := (*attempt.Reprove)(nil); errors.As(err, &again) {
		return v.reprove(again, to)
	}
	if failed := v.keyFailed(err, given, startAgain(to)); failed != nil {
		return v.show(http.StatusUnprocessableEntity, *failed)
	}
	if err != nil {
		return v.ownTurnedAway(a, err)
	}
	return v.arrived(browser, login, shared)
}

// reprove leads to the provider that must be asked again, from a page with a link:
// after a POST no redirect may leave our origin (form-action).
func (v *visit) reprove(again *attempt.Reprove, to attempt.Return) error {
	p := v.providerOf(again.Provider)
	if p == nil {
		return refuse(http.StatusForbidden, page.Unproved, "passkey-refused").again(startAgain(to))
	}
	return v.show(http.StatusOK, page.Reprove{Provider: p.Words, URL: emailURL("/login/"+url.PathEscape(again.Provider), to, false)})
}

// keyFailures say which page and cause each failure of a passkey has.
var keyFailures = []struct {
	is    error
	why   page.PasskeyFault
	cause string
}{
	{identity.ErrNotFound, page.PasskeyUnknown, "passkey-unknown"},
	{identity.ErrForeign, page.PasskeyLate, "passkey-late"},
	{identity.ErrExpired, page.PasskeyLate, "passkey-late"},
	{identity.ErrSpent, page.PasskeyLate, "passkey-late"},
	{attempt.ErrFactorOff, page.PasskeyIsOff, "passkey-off"},
	{attempt.ErrCloned, page.PasskeyIsOff, "passkey-cloned"},
	{attempt.ErrNoPasskeys, page.PasskeyRefused, "passkey-refused"},
	{passkey.ErrRefused, page.PasskeyRefused, "passkey-refused"},
}

// keyFailed returns what the patient reads of an answer that was not taken, or nil
// where the error is another.
func (v *visit) keyFailed(err error, given passkey.Given, again string) *page.PasskeyFailed {
	for _, f := range keyFailures {
		if !errors.Is(err, f.is) {
			continue
		}
		r := refuse(http.StatusUnprocessableEntity, page.TooLate, f.cause)
		r.err, r.classes = err, []string{"passkey"}
		failed := &page.PasskeyFailed{Why: f.why, Again: again, Reference: v.noted(r)}
		if f.why == page.PasskeyUnknown {
			failed.Signal = v.signal(map[string]any{"credentialId": base64.RawURLEncoding.EncodeToString(given.Credential)})
		}
		return failed
	}
	return nil
}

// signal is what tells the device of passkeys that are no more (WebAuthn, Signal API).
func (v *visit) signal(more map[string]any) string {
	more["rpId"] = v.passkeys.ID()
	b, _ := json.Marshal(more) // texts alone
	return string(b)
}

// onward leads on after a login: by the offer of a passkey, where it is due.
func (v *visit) onward(browser identity.Secret, login attempt.Login) error {
	if v.passkeys == nil || login.Step.Kind != attempt.StepReturn {
		return v.dispatch(login.Step, "")
	}
	due, err := v.attempts.OfferPasskey(v.r.Context(), login.Session, browser.Digest())
	if err != nil {
		return err
	}
	if !due || login.Step.Return.Path == linksPath {
		return v.dispatch(login.Step, "")
	}
	return v.redirect(query(offerPath, "to", landing(login.Step.Return)))
}

// passkeyOffer offers to make one (GET /account/passkeys/offer).
func (s *Server) passkeyOffer(v *visit) error {
	ready, err := v.needSession()
	if !ready {
		return err
	}
	due, err := v.attempts.OfferPasskey(v.r.Context(), *v.session, v.browser.Digest())
	if err != nil {
		return err
	}
	if v.passkeys == nil || !due {
		return v.redirect(v.after())
	}
	to, err := v.onTheWay()
	if err != nil {
		return err
	}
	content := page.PasskeyOffer{To: to}
	if content.Make, err = v.askToMake(to); err != nil {
		return err
	}
	return v.show(http.StatusOK, content)
}

// answerOffer keeps that the patient makes none now (POST /account/passkeys/offer).
func (s *Server) answerOffer(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	if err := v.factors.OfferedPasskey(v.r.Context(), v.session.Account, v.browser.Digest(), v.field("choice") == "never"); err != nil {
		return err
	}
	return v.redirect(v.after())
}

// keyOwner is for whom a passkey is made in this session, or of whom one is asked.
func (v *visit) keyOwner() (passkey.Owner, error) {
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return passkey.Owner{}, err
	}
	keys, err := v.factors.Passkeys(v.r.Context(), acc.ID)
	name := loginName(acc)
	if name.IsZero() {
		name = acc.Details().Email
	}
	return passkey.Owner{Handle: acc.ID, Name: name.Reveal(), Keys: keys}, err
}

// askToMake returns what a page makes a passkey with, which then leads there.
func (v *visit) askToMake(to string) (*page.PasskeyAsk, error) {
	o, err := v.keyOwner()
	if err != nil {
		return nil, err
	}
	if o.Name == "" { // a device must show something
		o.Name = v.pages.OrganisationName(v.lang)
	}
	challenge, err := v.factors.NewChallenge(factor.ForMaking, v.ensureBrowser(false).Digest())
	if err != nil {
		return nil, err
	}
	options, err := v.passkeys.ToMake(o, challenge)
	return &page.PasskeyAsk{Options: options, Makes: true, Action: passkeysPath, Fields: []page.Field{{Name: "to", Value: to}}}, err
}

// passkeyList shows the passkeys of the account (GET /account/passkeys).
func (s *Server) passkeyList(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	if s.passkeys == nil {
		return s.notFound(v)
	}
	return v.showPasskeys(http.StatusOK, nil)
}

func (v *visit) showPasskeys(status int, change func(*page.Passkeys)) error {
	v.path = passkeysPath
	o, err := v.keyOwner()
	if err != nil {
		return err
	}
	content := page.Passkeys{}
	ids := []string{}
	for _, k := range o.Keys {
		content.Keys = append(content.Keys, page.Passkey{ID: k.ID, Name: k.Name, AAGUID: k.AAGUID, Made: k.Bound, Used: k.Used, BackedUp: k.BackedUp, Off: k.Off})
		if !k.Off {
			ids = append(ids, base64.RawURLEncoding.EncodeToString(k.Credential))
		}
	}
	content.Signal = v.signal(map[string]any{
		"userId": base64.RawURLEncoding.EncodeToString([]byte(o.Handle)), "allAcceptedCredentialIds": ids,
	})
	switch err := v.attempts.MayMakePasskey(v.r.Context(), *v.session); {
	case err == nil:
		if content.Make, err = v.askToMake(passkeysPath); err != nil {
			return err
		}
	case errors.Is(err, attempt.ErrStale):
		content.StepUpURL = stepUpURL(attempt.Return{Path: passkeysPath})
	case errors.Is(err, attempt.ErrHeld):
		content.StepUpURL = regainedPath
	case errors.Is(err, attempt.ErrSharedDevice):
		content.Shared = true
	case errors.Is(err, attempt.ErrNoPasskeys):
		content.Closed = true
	case errors.Is(err, attempt.ErrTooMany):
		content.Full = true
	default:
		return err
	}
	if change != nil {
		change(&content)
	}
	return v.show(status, content)
}

// addPasskey binds one that the browser made (POST /account/passkeys).
func (s *Server) addPasskey(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	if s.passkeys == nil {
		return s.notFound(v)
	}
	key, err := v.made()
	if err == nil {
		err = v.attempts.AddPasskey(v.r.Context(), *v.session, key)
	}
	switch {
	case err == nil:
		if to := v.after(); to != passkeysPath {
			return v.redirect(to)
		}
		return v.showPasskeys(http.StatusOK, func(p *page.Passkeys) { p.Saved = page.PasskeyAdded })
	case notYet(err):
		return v.later(err, passkeysPath)
	}
	for _, is := range []error{
		passkey.ErrRefused, identity.ErrForeign, identity.ErrExpired, identity.ErrSpent, identity.ErrConflict,
		attempt.ErrSharedDevice, attempt.ErrNoPasskeys, attempt.ErrTooMany,
	} {
		if errors.Is(err, is) {
			r := refuse(http.StatusUnprocessableEntity, page.TooLate, "passkey-not-made")
			r.err, r.classes, r.account = err, []string{"passkey"}, v.session.Account
			reference := v.noted(r)
			return v.showPasskeys(http.StatusUnprocessableEntity, func(p *page.Passkeys) { p.Reference = reference })
		}
	}
	return err
}

// made judges what the browser made.
func (v *visit) made() (factor.Passkey, error) {
	m, err := passkey.ReadMade(v.field(credentialField))
	if err != nil {
		return factor.Passkey{}, err
	}
	if v.browser == "" {
		return factor.Passkey{}, identity.ErrForeign
	}
	if err := v.factors.SpendChallenge(v.r.Context(), factor.ForMaking, v.browser.Digest(), m.Challenge); err != nil {
		return factor.Passkey{}, err
	}
	o, err := v.keyOwner()
	if err != nil {
		return factor.Passkey{}, err
	}
	return v.passkeys.Judge(o, m)
}

// nameAtMost bounds the name of a passkey, in characters.
const nameAtMost = 50

// renamePasskey names one (POST /account/passkeys/{key}, `name`).
func (s *Server) renamePasskey(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	if s.passkeys == nil {
		return s.notFound(v)
	}
	id, name := mux.Vars(v.r)["key"], strings.TrimSpace(v.field("name"))
	if utf8.RuneCountInString(name) > nameAtMost || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return v.showPasskeys(http.StatusUnprocessableEntity, func(p *page.Passkeys) {
			p.Faults = []page.Fault{{Field: "name-" + id, Key: "fault.passkey-name"}}
		})
	}
	err := v.attempts.RenamePasskey(v.r.Context(), *v.session, id, name)
	if errors.Is(err, identity.ErrNotFound) {
		return v.redirect(passkeysPath)
	}
	if err != nil {
		return err
	}
	return v.showPasskeys(http.StatusOK, func(p *page.Passkeys) { p.Saved = page.PasskeyRenamed })
}

// passkeyRemove asks before one is taken away (GET /account/passkeys/{key}/remove).
func (s *Server) passkeyRemove(v *visit) error {
	k, last, err := v.chosenKey()
	if k.ID == "" {
		return err
	}
	return v.show(http.StatusOK, page.PasskeyRemove{Passkey: page.Passkey{ID: k.ID, Name: k.Name, AAGUID: k.AAGUID, Made: k.Bound, Used: k.Used}, Last: last})
}

// removePasskey takes it away (POST to the same).
func (s *Server) removePasskey(v *visit) error {
	k, _, err := v.chosenKey()
	if k.ID == "" {
		return err
	}
	err = v.attempts.RemovePasskey(v.r.Context(), *v.session, k.ID)
	if notYet(err) {
		return v.later(err, passkeysPath)
	}
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	return v.showPasskeys(http.StatusOK, func(p *page.Passkeys) { p.Saved = page.PasskeyGone })
}

// chosenKey returns the passkey that the path names, and whether no other second factor
// is left without it. Where there is none it has answered.
func (v *visit) chosenKey() (factor.Passkey, bool, error) {
	if ready, err := v.needSession(); !ready {
		return factor.Passkey{}, false, err
	}
	keys, err := v.factors.Passkeys(v.r.Context(), v.session.Account)
	if err != nil {
		return factor.Passkey{}, false, err
	}
	at := slices.IndexFunc(keys, func(k factor.Passkey) bool { return k.ID == mux.Vars(v.r)["key"] })
	if at < 0 {
		return factor.Passkey{}, false, v.redirect(passkeysPath)
	}
	f, err := v.attempts.Factors(v.r.Context(), v.session.Account)
	return keys[at], len(keys) == 1 && len(f.Ways()) == 0, err
}

// stepUpByPasskey judges a passkey's answer for a step-up (POST /step-up/passkey).
func (s *Server) stepUpByPasskey(v *visit) error {
	st, done, err := v.demand()
	if done {
		return err
	}
	if s.passkeys == nil {
		return s.notFound(v)
	}
	k, given, err := v.keyProof(factor.ForStepUp)
	var login attempt.Login
	if err == nil {
		login, err = v.attempts.StepUpPasskey(v.r.Context(), attempt.Seat{Secret: v.secret, Session: v.session}, k)
	}
	if errors.Is(err, attempt.ErrOtherPerson) {
		err = passkey.ErrRefused
	}
	if failed := v.keyFailed(err, given, stepUpURL(st.to)); failed != nil {
		return v.show(http.StatusUnprocessableEntity, *failed)
	}
	if err != nil {
		return err
	}
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	return v.dispatch(attempt.Step{Kind: attempt.StepReturn, Return: st.to}, "")
}

// stepUpAsk asks for one of the passkeys that would do.
func (v *visit) stepUpAsk(st step) (*page.PasskeyAsk, error) {
	o, err := v.keyOwner()
	if err != nil {
		return nil, err
	}
	o.Keys = slices.DeleteFunc(o.Keys, func(k factor.Passkey) bool {
		return !slices.ContainsFunc(st.offers, func(offer attempt.Offer) bool { return offer.Passkey == k.ID })
	})
	ask, err := v.ask(factor.ForStepUp, o, v.ensureBrowser(v.session.Shared))
	if err != nil {
		return nil, err
	}
	ask.Action, ask.Fields = "/step-up/passkey", page.Carried(st.to.Request, st.to.Path, false)
	return ask, nil
}

// passkeyEndpoints tells managers of passkeys where they are made and kept
// (GET /.well-known/passkey-endpoints).
func (s *Server) passkeyEndpoints(w http.ResponseWriter, _ *http.Request) {
	if s.passkeys == nil {
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"enroll": s.origin + passkeysPath, "manage": s.origin + passkeysPath})
}
