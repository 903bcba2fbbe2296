package service

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/portal"
)

// story is a patient as one may come: who they are proved to be, and how they log in.
type story struct {
	who, by  string
	evidence identity.Evidence
}

// ExplainPortal writes what the portal of that id would get for each kind of patient that
// this configuration lets in, judged by the very functions that judge them when they
// come, and why it would be refused: one a line.
func (c *Config) ExplainPortal(w io.Writer, id string, now time.Time) error {
	i := slices.IndexFunc(c.Portals, func(p Portal) bool { return p.ID == id })
	if i < 0 {
		return fmt.Errorf("portal: wanted an id of the configuration, got %q", id)
	}
	p := c.Portals[i].portal()
	asked := p.At(now)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	put := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")) }
	put("asks for", identity.JoinTrust(asked.Trust, " or "))
	if until := c.Portals[i].LowerProof; until != nil {
		state := "approved by " + until.ApprovedBy + " until "
		if !now.Before(until.Until) {
			state = "the approval is over since "
		}
		put("below P9", state+until.Until.AddDate(0, 0, -1).Format(time.DateOnly)+": "+until.Reason)
	}
	put("age", ageAsked(p, asked))
	put("scopes", strings.Join(p.Scopes, " "))
	put()
	put("who the patient is", "logs in by", "reaches", "the portal gets")
	for _, s := range c.stories(now) {
		a := identity.Assess(s.evidence, now)
		put(s.who, s.by, a.Trust.String(), gets(asked, a))
	}
	return table.Flush()
}

func ageAsked(p portal.Portal, asked *portal.Portal) string {
	if p.MinimumAge == 0 {
		return "not asked"
	}
	text := fmt.Sprintf("%d or more, by the proved birth date; younger: access_denied", p.MinimumAge)
	if asked.AdmitsUnknownAge() {
		return text + "; no birth date passes, as P0 is enough"
	}
	return text + "; no birth date: access_denied"
}

// gets says what a session that is judged so opens at the portal.
func gets(p *portal.Portal, a identity.Assessment) string {
	switch {
	case a.Trust.SatisfiesAny(p.Trust):
		return "tokens; userinfo: " + strings.Join(p.Userinfo(a.Trust.P), " ")
	case slices.ContainsFunc(p.Trust, func(asked identity.Trust) bool { return a.Trust.P >= asked.P }):
		return "a step-up first: no " + identity.JoinTrust(p.Trust, " or ") + " yet"
	case a.Level > a.Trust.P:
		return "refused, unmet_authentication_requirements: the account holds " + a.Level.String() + ", the session " + a.Trust.P.String()
	}
	return "refused, unmet_authentication_requirements: proved to " + a.Trust.P.String() + " alone"
}

// stories are the patients that this configuration lets in.
func (c *Config) stories(now time.Time) []story {
	var all []story
	for _, p := range c.Providers {
		for _, t := range p.reachable() {
			all = append(all, story{"proved by " + p.ID, p.ID + " at " + t.String(), identity.Evidence{
				Provider: identity.Proof{Provider: p.ID, Trust: t, Level: t.P, AuthTime: now, At: now},
			}})
		}
	}
	if !c.SignUp.Enabled {
		return all
	}
	for _, basis := range []struct {
		who   string
		level identity.Proofing
		basis identity.Basis
	}{
		{"signed up, contacts alone", identity.P0, identity.BasisContacts},
		{"signed up, details and a contact match the register", identity.P5, identity.BasisRegister},
		{"signed up, a code or letter of the practice", identity.P5, identity.BasisActivation},
		{"signed up, documents seen in person", identity.P9, identity.BasisDocuments},
	} {
		for _, way := range ownWays(basis.level, now) {
			way.own.Level, way.own.Basis = basis.level, basis.basis
			all = append(all, story{basis.who, way.by, identity.Evidence{Own: way.own}})
		}
	}
	held := identity.Own{Level: identity.P9, Basis: identity.BasisDocuments, Means: identity.MeansRecovery, Password: identity.Use{Level: identity.P9, At: now}, Possession: identity.Use{At: now}}
	frozen := all[len(all)-1].evidence
	frozen.Frozen = identity.FrozenNotMyNumber
	return append(all,
		story{"let back in by staff, the first 72 hours", "password and their code", identity.Evidence{Own: held}},
		story{"a record that waits for people to look", "anything", frozen},
	)
}

// ownWay is a way of our own to log in.
type ownWay struct {
	by  string
	own identity.Own
}

// ownWays are those that a patient has whose factors were all bound at that level.
func ownWays(level identity.Proofing, now time.Time) []ownWay {
	use := identity.Use{Level: level, At: now}
	return []ownWay{
		{"password alone", identity.Own{Password: use}},
		{"password, texted or printed code", identity.Own{Password: use, Possession: use, Means: identity.MeansText}},
		{"password, authenticator app", identity.Own{Password: use, Possession: use, Means: identity.MeansTOTP}},
		{"password, remembered browser", identity.Own{Password: use, Possession: use, Means: identity.MeansBrowser}},
		{"passkey", identity.Own{Passkey: use}},
	}
}
