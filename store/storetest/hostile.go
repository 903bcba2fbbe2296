package storetest

import (
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
)

// hostileTexts are values that a careless store takes for its own language.
var hostileTexts = []string{
	`'; DROP TABLE accounts; --`, `" OR "1"="1`, `' OR 1=1 --`, `$1`, `?`, `:name`, `%`, `_`, `\`, `\'`, `NULL`, `0x00`,
	"line\nend\r\n", "tab\t", "\u202eright to left", "Llanfairpwllgwyngyll ŵŷâêîôû", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", strings.Repeat("long ", 20_000),
}

// unstorable are texts that one database refuses and another keeps.
var unstorable = []string{"\x00", "a\x00b", "\xff", "\xed\xa0\x80"}

var hostileRules = []rule{
	{"values that look like SQL are values", func(k *kit) {
		for _, text := range hostileTexts {
			a := patient(link(text))
			a.Language = text
			k.ok(k.Accounts.Create(k.ctx, a))
			got, err := k.Accounts.ByLink(k.ctx, a.Links[0].Issuer, text)
			k.ok(err)
			k.same(got, a)

			r := request()
			r.State, r.Nonce, r.RedirectURI, r.Scopes, r.Languages = text, text, text, []string{text, ""}, []string{}
			k.ok(k.Grants.CreateRequest(k.ctx, r))
			back, err := k.Grants.Request(k.ctx, r.ID)
			k.ok(err)
			k.same(back, r)

			s, secret := visit(a), identity.NewToken().Digest()
			s.Device, s.Language = text, text
			k.ok(k.Sessions.Create(k.ctx, secret, s))
			kept, err := k.Sessions.BySecret(k.ctx, secret)
			k.ok(err)
			k.same(kept, state(s, a))

			e := full(epoch)
			e.Reason, e.Cause, e.Reference = text, text, text
			k.ok(k.Audit.Append(k.ctx, e))
			events, err := k.Audit.FindByReference(k.ctx, text)
			k.ok(err)
			k.same(events, []audit.Event{e})
		}
	}},
	{"hostile names find nothing", func(k *kit) {
		k.ok(k.Accounts.Create(k.ctx, patient(link("one"))))
		for _, text := range append(append([]string{""}, hostileTexts...), unstorable...) {
			_, err := k.Accounts.Account(k.ctx, text)
			k.is(err, identity.ErrNotFound)
			_, err = k.Accounts.ByLink(k.ctx, text, text)
			k.is(err, identity.ErrNotFound)
			_, err = k.Sessions.ByHandle(k.ctx, text)
			k.is(err, identity.ErrNotFound)
			_, err = k.Grants.Request(k.ctx, text)
			k.is(err, identity.ErrNotFound)
			_, err = k.Grants.Revoked(k.ctx, text)
			k.is(err, identity.ErrNotFound)
			events, err := k.Audit.FindByReference(k.ctx, text)
			k.ok(err)
			k.same(len(events), 0)
		}
	}},
	{"text that no database keeps alike is refused by both", func(k *kit) {
		for _, text := range unstorable {
			a := patient()
			a.Language = text
			if err := k.Accounts.Create(k.ctx, a); err == nil {
				k.Fatalf("wanted %q refused", text)
			}
			_, err := k.Accounts.Account(k.ctx, a.ID)
			k.is(err, identity.ErrNotFound)
			l := link(text) // sealed as bytes, whatever they are
			k.ok(k.Accounts.Create(k.ctx, patient(l)))
			_, err = k.Accounts.ByLink(k.ctx, l.Issuer, text)
			k.ok(err)
		}
	}},
}
