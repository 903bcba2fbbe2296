package register

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
	"github.com/dilys-id/dilys/rp/outside"
)

const (
	assertionLife = time.Minute // it is used at once; the platform takes five
	leastLife     = time.Minute // of an access token that does not say how long it lives
	mostLife      = time.Hour
	earlier       = 30 * time.Second // a token is replaced before its end
	maxAccess     = 8 << 10          // bytes of an access token
)

// access is an access token of ours. It is never changed.
type access struct {
	secret identity.Secret
	until  time.Time // shortly before its end
}

// access returns the access token held, or fetches one, once for all who wait for
// it. A caller who leaves takes nobody's token away.
func (p *PDS) access(ctx context.Context) (*access, error) {
	if a := p.living(); a != nil {
		return a, nil
	}
	done := p.flight.DoChan("", func() (any, error) {
		if a := p.living(); a != nil { // it came while this call was on its way here
			return a, nil
		}
		return p.fetch(context.WithoutCancel(ctx))
	})
	select {
	case got := <-done:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*access), nil
	case <-ctx.Done():
		return nil, outside.InOurWords(ctx.Err())
	}
}

func (p *PDS) living() *access {
	if a := p.held.Load(); a != nil && p.now().Before(a.until) {
		return a
	}
	return nil
}

// fetch gets an access token and keeps it (RFC 6749 §4.4, RFC 7523 §2.2).
func (p *PDS) fetch(ctx context.Context) (*access, error) {
	ctx, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	r, err := p.grant(ctx)
	var a *access
	if err == nil {
		a, err = readGrant(r, p.now())
	}
	if err != nil {
		err = fault("access token: " + err.Error())
		p.told(p.pulse.ungranted(err.Error(), p.now()))
		return nil, err
	}
	p.held.Store(a)
	p.told(p.pulse.granted(r.took, p.now()))
	return a, nil
}

// grant asks for an access token, with an assertion of its own.
func (p *PDS) grant(ctx context.Context) (reply, error) {
	assertion, err := token.NewAssertion(*p.opt.Key, p.opt.APIKey.Reveal(), p.opt.TokenURL, p.now(), assertionLife)
	if err != nil {
		return reply{}, fault("wanted an assertion of ours, got none")
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.opt.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, fault("wanted a URL, got something else")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	got, _, err := p.exchange(r)
	return got, err
}

// grantFaults are the errors of a token endpoint that may stand in one of ours (RFC
// 6749 §5.2); the API platform has the last two of its own.
var grantFaults = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"public_key error", "invalid_api_key",
}

// readGrant reads the token endpoint's answer.
func readGrant(r reply, now time.Time) (*access, error) {
	doc, err := r.document()
	var look reading
	if r.status != http.StatusOK {
		if said := look.text(doc, "error"); err == nil && slices.Contains(grantFaults, said) {
			return nil, fault(fmt.Sprintf("wanted status 200, got %d %s", r.status, said))
		}
		return nil, fault(fmt.Sprintf("wanted status 200, got %d", r.status))
	}
	if err != nil {
		return nil, err
	}
	secret, kind := look.text(doc, "access_token"), look.text(doc, "token_type")
	printable := !strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' })
	if secret == "" || len(secret) > maxAccess || !printable || !strings.EqualFold(kind, "Bearer") {
		return nil, fault("wanted a Bearer token, got something else")
	}
	life := lifeOf(doc["expires_in"])
	return &access{identity.Secret(secret), now.Add(life - min(earlier, life/2))}, nil
}

// lifeOf reads expires_in: a number, or the text that the API platform writes.
func lifeOf(v any) time.Duration {
	text := fmt.Sprint(v)
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil || seconds == 0 {
		return leastLife
	}
	return min(time.Duration(seconds)*time.Second, mostLife)
}
