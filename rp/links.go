package rp

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
)

const linksPath = "/account/providers"

// linkIsNew is how long the page says what was linked or merged just now.
const linkIsNew = time.Minute

// links shows the ways to log in to the account (GET /account/providers).
func (s *Server) links(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return err
	}
	content, err := v.linksOf(acc)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, content)
}

func (v *visit) linksOf(acc account.Account) (page.Links, error) {
	_, own := acc.Own()
	content := page.Links{
		Own: own, Frozen: acc.Frozen() != "", Merges: v.session.Trust.P == identity.P9,
		Merged: !acc.TookIn.IsZero() && v.now().Sub(acc.TookIn) < linkIsNew,
	}
	for _, p := range v.providers {
		if _, linked := providerLink(acc, p.Words.ID); !linked {
			content.Others = append(content.Others, p.Words)
		}
	}
	for _, l := range acc.Links {
		p := v.providerOf(l.Provider)
		if p == nil { // our own, or one that is not configured any more
			continue
		}
		linked := page.Linked{Provider: p.Words, Used: l.Last, Last: !acc.OpensWithout(l.Provider, v.providerIDs())}
		if l.First.After(acc.Created) {
			linked.Since = l.First
		}
		if now := v.now(); !linked.Since.IsZero() && now.Sub(l.First) < linkIsNew {
			content.New = p.Words.Name
		}
		content.Linked = append(content.Linked, linked)
	}
	f, err := v.attempts.Factors(v.r.Context(), acc.ID)
	if own && len(f.Ways()) == 0 && !v.session.Trust.C.Strong() {
		content.TwoStepURL = twoStepPath
	}
	return content, err
}

func providerLink(acc account.Account, provider string) (account.Link, bool) {
	for _, l := range acc.Links {
		if l.Provider == provider && l.Issuer != account.Own {
			return l, true
		}
	}
	return account.Link{}, false
}

func (v *visit) providerIDs() []string {
	all := make([]string, 0, len(v.providers))
	for _, p := range v.providers {
		all = append(all, p.Words.ID)
	}
	return all
}

// link begins to link a provider (POST /account/providers/{provider}). It answers with
// a page that leads there: after a POST no redirect may leave our origin (form-action).
func (s *Server) link(v *visit) error {
	v.path = linksPath
	if ready, err := v.needSession(); !ready {
		return err
	}
	p, err := v.provider()
	if err != nil {
		return err
	}
	switch err := v.attempts.MayLink(v.r.Context(), *v.session); {
	case notYet(err):
		return v.later(err, linksPath)
	case errors.Is(err, attempt.ErrWeak), v.session.Evidence.Frozen != "":
		return v.redirect(linksPath) // which says why
	case err != nil:
		return err
	}
	to := attempt.Return{Path: linksPath}
	_, at, err := v.begin(p, to, portal.Waiting{Door: v.ownDoor}, departure{linking: true})
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, page.LinkStart{Provider: p.Words, URL: at})
}

// unlink asks before a provider's login is taken away
// (GET /account/providers/{provider}/remove).
func (s *Server) unlink(v *visit) error {
	p, acc, err := v.linkedHere()
	if p == nil {
		return err
	}
	return v.show(http.StatusOK, page.Unlink{Provider: p.Words, Last: !acc.OpensWithout(p.Words.ID, v.providerIDs())})
}

// giveUnlink takes it away (POST to the same), and everybody is logged out.
func (s *Server) giveUnlink(v *visit) error {
	p, _, err := v.linkedHere()
	if p == nil {
		return err
	}
	err = v.attempts.Unlink(v.r.Context(), *v.session, p.Words.ID, v.providerIDs())
	switch {
	case notYet(err):
		return v.later(err, unlinkPath(p))
	case errors.Is(err, account.ErrLastWay), errors.Is(err, identity.ErrNotFound):
		return v.redirect(linksPath)
	case err != nil:
		return err
	}
	v.session = nil
	v.clearBrowser()
	return v.write(http.StatusOK, page.Unlink{Provider: p.Words, Done: true}, nil)
}

func unlinkPath(p *Provider) string { return linksPath + "/" + url.PathEscape(p.Words.ID) + "/remove" }

// linkedHere returns the provider that the path names, and the account that it is
// linked to. Where the session may not change that, or has no such link, it has
// answered, and there is none.
func (v *visit) linkedHere() (*Provider, account.Account, error) {
	p, err := v.provider()
	if err != nil {
		return nil, account.Account{}, err
	}
	if ready, err := v.entrusted(unlinkPath(p)); !ready {
		return nil, account.Account{}, err
	}
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return nil, acc, err
	}
	if _, linked := providerLink(acc, p.Words.ID); !linked {
		return nil, acc, v.redirect(linksPath)
	}
	return p, acc, nil
}

// linkRefusals say why an answer was not linked. The patient reads one page whichever
// it was: that another account exists is told to nobody.
var linkRefusals = map[error]string{
	account.ErrDiffers: "link-differs", account.ErrLinked: "link-elsewhere", account.ErrFrozen: "record-frozen", attempt.ErrWeak: "link-weak",
}

// notLinked returns what becomes of an answer that was to be linked and was not, or nil
// where the error is another.
func notLinked(err error) *refusal {
	for is, cause := range linkRefusals {
		if errors.Is(err, is) {
			return refuse(http.StatusForbidden, page.NotLinked, cause).again(linksPath)
		}
	}
	if errors.Is(err, account.ErrOtherWay) { // proved to be the same person, who may know
		return refuse(http.StatusForbidden, page.OtherAccount, "link-other-way").again("/logout")
	}
	return nil
}
