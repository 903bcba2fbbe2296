package rp

import (
	"net/http"
	"net/url"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/session"
	"github.com/dilys-id/dilys/rp/page"
)

// account shows who the patient is here, how sure we are and why, and where they
// are logged in (GET /account).
func (s *Server) account(v *visit) error {
	if v.session == nil {
		return v.redirect("/login?" + url.Values{"return": {"/account"}}.Encode())
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	others, err := v.sessions.List(v.r.Context(), acc.ID)
	if err != nil {
		return err
	}
	content := page.Account{
		Sources: v.sources(acc), Trust: v.session.Trust, Reasons: v.session.Reasons, Provider: v.prover(acc),
		SettingsURL: v.settingsURL(), Sessions: v.places(others), ActivityURL: "/account/activity", QuietURL: quietPath,
	}
	if len(v.providers) > 0 {
		content.LinksURL = linksPath
	}
	if v.passkeys != nil && v.attempts.MayHavePasskeys(acc) {
		content.PasskeysURL = passkeysPath
	}
	askNotMine(&content, acc)
	closing(&content, acc)
	own, signedUp := acc.Own()
	content.Moved = own.Standing == identity.Moved
	if !signedUp {
		return v.show(http.StatusOK, content)
	}
	if content.Own, err = v.ownThings(acc); err != nil {
		return err
	}
	switch {
	case content.Frozen, v.session.Evidence.Own.IsZero(): // nothing raises it before people have looked, nor in a session that a provider opened
		content.Own.ActivationURL = ""
	case own.Level < identity.P5 && v.attempts.LinkageOffered():
		content.Own.LinkageURL = "/account/linkage"
	}
	return v.show(http.StatusOK, content)
}

// sources are what is known of the patient, the surest first.
func (v *visit) sources(acc account.Account) []page.Source {
	all := make([]page.Source, 0, len(acc.Links))
	for _, l := range acc.BySureness() {
		all = append(all, page.Source{
			Provider: v.providerWords(l.Provider).Name, Own: l.Issuer == account.Own, Details: l.Details, Proved: l.Level >= identity.P9,
		})
	}
	return all
}

// prover is the provider that the reasons speak of: the one of this session, or the
// one that proved most.
func (v *visit) prover(acc account.Account) page.Provider {
	if id := v.session.Evidence.Provider.Provider; id != "" {
		return v.providerWords(id)
	}
	for _, l := range acc.BySureness() {
		if l.Issuer != account.Own {
			return v.providerWords(l.Provider)
		}
	}
	return page.Provider{}
}

// ownThings is what a patient has here who signed up here.
func (v *visit) ownThings(acc account.Account) (*page.Own, error) {
	f, err := v.attempts.Factors(v.r.Context(), acc.ID)
	if err != nil {
		return nil, err
	}
	browsers, err := v.attempts.Browsers(v.r.Context(), acc.ID)
	if err != nil {
		return nil, err
	}
	own := &page.Own{
		ActivationURL: "/account/activation", TwoStepURL: twoStepPath, TwoStep: len(f.Ways()) > 0, PhoneOff: f.Phone.Off,
		CardURL: cardPath, CardLeft: f.Card.Left, CardMade: f.Card.Made, CardDeclined: f.Card.Declined, PasswordURL: "/recover",
		EmailURL: contactPages[identity.ByEmail].ask, NoPhone: acc.Details().Phone.IsZero(),
	}
	if v.signUp.Texts {
		own.PhoneURL = contactPages[identity.BySMS].ask
	}
	if own.Held, err = v.heldChanges(acc); err != nil {
		return nil, err
	}
	for _, b := range browsers {
		if !b.Remembered.IsZero() {
			own.Browsers = append(own.Browsers, page.Browser{
				ID: b.ID, This: b.Browser == v.browser.Digest(), Device: b.Device, Seen: b.Seen, Until: b.Remembered,
			})
		}
	}
	return own, nil
}

// settingsURL leads to the provider's own settings, where it has any. One that
// can't be made is left out: the page is about more than that.
func (v *visit) settingsURL() string {
	p := v.providerOf(v.session.Evidence.Provider.Provider)
	if p == nil || !p.HasSettings() {
		return ""
	}
	return "/account/provider-settings"
}

// providerSettings sends the patient on to NHS login's settings with an assertion
// of ours (GET /account/provider-settings). The assertion lives a minute, so it
// is made when the link is followed, not when the page is shown.
func (s *Server) providerSettings(v *visit) error {
	if v.session == nil {
		return v.redirect("/login?" + url.Values{"return": {"/account"}}.Encode())
	}
	p := v.providerOf(v.session.Evidence.Provider.Provider)
	if p == nil || !p.HasSettings() {
		return refuse(http.StatusNotFound, page.NotFound, "no-provider-settings")
	}
	to, err := p.SettingsLink(v.session.Evidence.Provider.TokenID)
	if err != nil {
		return err
	}
	return v.redirect(to)
}

func (v *visit) places(all []session.Session) []page.Session {
	places := make([]page.Session, 0, len(all))
	for _, other := range all {
		places = append(places, page.Session{
			Handle: other.Handle, This: other.Handle == v.session.Handle, Device: other.Device, Started: other.Created, LastSeen: other.Seen,
			Provider: v.providerWords(other.Provider).Name,
		})
	}
	return places
}

func (v *visit) providerOf(id string) *Provider {
	for i := range v.providers {
		if v.providers[i].Words.ID == id {
			return &v.providers[i]
		}
	}
	return nil
}

// providerWords returns how a provider is spoken of; one that is no longer
// configured has no words.
func (v *visit) providerWords(id string) page.Provider {
	if p := v.providerOf(id); p != nil {
		return p.Words
	}
	return page.Provider{}
}
