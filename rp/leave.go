package rp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/dossier"
	"github.com/dilys-id/dilys/rp/page"
)

const (
	leavePath  = "/account/delete"
	exportPath = "/account/export"
)

// entrusted reports whether the session may have what is the account's whole: it is
// fresh, and not held after a recovery. If not, it has answered, or returns why not.
func (v *visit) entrusted(back string) (bool, error) {
	if ready, err := v.needSession(); !ready {
		return false, err
	}
	err := v.attempts.MayChange(v.r.Context(), *v.session)
	if notYet(err) {
		return false, v.later(err, back)
	}
	return err == nil, err
}

// leave asks before the account begins to close (GET /account/delete).
func (s *Server) leave(v *visit) error {
	if ready, err := v.entrusted(leavePath); !ready {
		return err
	}
	return v.show(http.StatusOK, page.Leave{})
}

// giveLeave lets it (POST /account/delete): everybody is logged out, and the patient
// is told at every address.
func (s *Server) giveLeave(v *visit) error {
	if ready, err := v.entrusted(leavePath); !ready {
		return err
	}
	why := v.field("why")
	if !slices.Contains(page.LeaveReasons(), why) {
		return v.show(http.StatusUnprocessableEntity, page.Leave{Faults: []page.Fault{{Field: "why", Key: "fault.why"}}})
	}
	at, err := v.attempts.Leave(v.r.Context(), *v.session, why)
	if err != nil {
		return err
	}
	v.session = nil
	v.clearBrowser()
	return v.write(http.StatusOK, page.Leave{Done: true, Closes: at}, nil)
}

// keepAccount takes it back (POST /account/keep). A login is enough: it only keeps
// what is.
func (s *Server) keepAccount(v *visit) error {
	if ready, err := v.needSession(); !ready {
		return err
	}
	if err := v.accounts.KeepOpen(v.r.Context(), v.session.Account, v.session.Handle); err != nil {
		return err
	}
	return v.redirect("/account")
}

// exported reads what is kept of the patient, and records that they have it.
func (v *visit) exported(ctx context.Context) (dossier.Held, error) {
	rooms := dossier.Rooms{Accounts: v.accounts, Factors: v.factors, Sessions: v.sessions, Events: v.events}
	held, err := rooms.Read(ctx, v.session.Account)
	if err != nil {
		return held, err
	}
	return held, v.ledger.Record(ctx, audit.Event{Kind: audit.AccountExported, Actor: audit.Patient, Account: v.session.Account, Session: v.session.Handle})
}

// export shows it to read and to print (GET /account/export).
func (s *Server) export(v *visit) error {
	if ready, err := v.entrusted(exportPath); !ready {
		return err
	}
	held, err := v.exported(v.r.Context())
	if err != nil {
		return err
	}
	d := dossier.Of(held, v.now().UTC())
	content := page.Export{Made: d.Made, Factors: d.Factors, Browsers: d.Browsers, Places: d.Sessions, Changes: d.Changes, JSON: exportPath + "/file"}
	for _, l := range held.Account.Links {
		content.Held = append(content.Held, page.Kept{Details: l.Details, Level: l.Level, From: v.providerWords(l.Provider).Name, First: l.First, Last: l.Last})
	}
	for _, e := range held.Events {
		if page.Tells(e.Kind) {
			content.Events = append(content.Events, v.told(e))
		}
	}
	return v.show(http.StatusOK, content)
}

// exportFile gives everything as a file (GET /account/export/file).
func (s *Server) exportFile(v *visit) error {
	if ready, err := v.entrusted(exportPath); !ready {
		return err
	}
	held, err := v.exported(v.r.Context())
	if err != nil {
		return err
	}
	body, err := json.MarshalIndent(dossier.Of(held, v.now().UTC()), "", "  ")
	if err != nil {
		return fmt.Errorf("write the dossier: %w", err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="dilys.json"`)
	_, err = v.w.Write(body)
	return err
}

// closing fills in what the account page says of leaving.
func closing(content *page.Account, acc account.Account) {
	content.Closes, content.ExportURL, content.LeaveURL = acc.Closes, exportPath, leavePath
}
