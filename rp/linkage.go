package rp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
)

// linkage asks for the details on the practice's letter (GET /account/linkage).
func (s *Server) linkage(v *visit) error {
	if ready, err := v.linkable(); !ready {
		return err
	}
	content, err := v.linkagePage()
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, content)
}

// linkable reports whether a patient is logged in whom linkage details would raise.
func (v *visit) linkable() (bool, error) {
	ready, err := v.provesHere()
	if !ready || err != nil {
		return ready, err
	}
	if !v.attempts.LinkageOffered() {
		return false, refuse(http.StatusNotFound, page.NotFound, "no-such-page")
	}
	return true, nil
}

func (v *visit) linkagePage(faults ...page.Fault) (page.Linkage, error) {
	acc, err := v.accounts.Account(v.r.Context(), v.session.Account)
	if err != nil {
		return page.Linkage{}, err
	}
	own, _ := acc.Own()
	return page.Linkage{AskNumber: own.Details.NHSNumber.IsZero(), Number: v.field("nhs_number"), Faults: faults}, nil
}

// giveLinkage judges them (POST /account/linkage). One answer serves for everything
// that does not match.
func (s *Server) giveLinkage(v *visit) error {
	if ready, err := v.linkable(); !ready {
		return err
	}
	l, faults := v.readLinkage()
	content, err := v.linkagePage(faults...)
	if err != nil {
		return err
	}
	if content.AskNumber && l.NHSNumber.IsZero() && len(faults) == 0 {
		content.Faults = []page.Fault{{Field: "nhs_number", Key: "fault.nhs-number-missing"}}
	}
	if len(content.Faults) > 0 {
		return v.show(http.StatusUnprocessableEntity, content)
	}
	login, err := v.attempts.Link(v.r.Context(), attempt.Seat{Secret: v.secret, Session: v.session}, l, v.reference)
	switch {
	case errors.Is(err, account.ErrFrozen):
		return v.frozen(attempt.Return{})
	case errors.Is(err, attempt.ErrNotConfirmed), errors.Is(err, identity.ErrConflict), errors.Is(err, identity.ErrForeign):
		content.Reference, content.Faults = v.reference, []page.Fault{{Field: "gp_linkage_key", Key: "fault.linkage"}}
		return v.show(http.StatusUnprocessableEntity, content)
	case err != nil:
		return lookedTooOften(v.codeLimit(guessing{class: "linkage"}, err))
	}
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	return v.redirect("/account")
}

// lookedTooOften says of details that were tried too often by which rule: theirs is not
// that of codes.
func lookedTooOften(err error) error {
	if r := (*refusal)(nil); errors.As(err, &r) && r.page.Kind == page.CodeLimit {
		r.cause = "lookups-spent"
	}
	return err
}

// readLinkage reads the form, and says what is missing.
func (v *visit) readLinkage() (attempt.Linkage, []page.Fault) {
	l := attempt.Linkage{
		AccountID: identity.Secret(strings.TrimSpace(v.field("gp_account_id"))), Key: identity.Secret(strings.TrimSpace(v.field("gp_linkage_key"))),
	}
	var faults []page.Fault
	if typed := v.field("nhs_number"); typed != "" {
		number, fault := identity.CheckNHSNumber(typed)
		if fault != "" {
			faults = append(faults, page.Fault{Field: "nhs_number", Key: "fault.nhs-number-" + string(fault)})
		}
		l.NHSNumber = number
	}
	if l.AccountID == "" {
		faults = append(faults, page.Fault{Field: "gp_account_id", Key: "fault.gp-account-id"})
	}
	if l.Key == "" {
		faults = append(faults, page.Fault{Field: "gp_linkage_key", Key: "fault.gp-linkage-key"})
	}
	return l, faults
}
