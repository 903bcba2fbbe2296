package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/grant"
	"github.com/dilys-id/dilys/identity/session"
)

// A host behind the gateway that is not our own has no cookie of ours, and gets none of
// our session: it gets an id that is good there alone. It begins at the host, which
// keeps a random value; then here, where the patient logs in and the rule of the host is
// asked; and ends at the host, which spends a code only beside that value.
const (
	startPath = "/.dilys/start" // at the host: begins, for ?to=PATH
	GatePath  = "/gate"         // here
	enterPath = "/.dilys/enter" // at the host: ends
)

// GateHost reports whether the request came for a host behind the gateway that is not
// our own, and which: the one that a proxy of ours tells, or that the request itself
// names.
func (p *Portals) GateHost(r *http.Request, trusted bool) (string, bool) {
	named := r.Host
	if told := r.Header["X-Forwarded-Host"]; trusted && len(told) == 1 {
		named = told[0]
	}
	return p.gateHost(named)
}

func (p *Portals) gateHost(named string) (string, bool) {
	host := p.hostOf(Forwarded{Host: strings.ToLower(named)})
	return host, host != p.publicHost && p.gateway[host] != nil
}

// GateOrigin is where a host behind the gateway is found: as we are, by https.
func (p *Portals) GateOrigin(host string) string {
	scheme, _, _ := strings.Cut(p.issuer, ":")
	return scheme + "://" + host
}

// HasGates reports whether there is a host behind the gateway that is not our own.
func (p *Portals) HasGates() bool {
	for host := range p.gateway {
		if host != p.publicHost {
			return true
		}
	}
	return false
}

// GateAddress is where the host is found, if it is one behind the gateway.
func (p *Portals) GateAddress(named string) (string, bool) {
	host, known := p.gateHost(named)
	return p.GateOrigin(host), known
}

// GateURL is where a patient of that host is to log in, with the digest of what the host
// keeps, to be back on that path.
func (p *Portals) GateURL(host string, start identity.Digest, to string) string {
	return WithQuery(p.issuer+GatePath, url.Values{"host": {host}, "start": {start.Text()}, "to": {to}})
}

// Passage is a patient's wish to go on to a host behind the gateway.
type Passage struct {
	Host  string
	Start identity.Digest
	To    string // path and query
}

// ReadPassage reads what [Portals.GateURL] wrote; false for anything else. Whether To is
// a path is judged by whoever reads it.
func (p *Portals) ReadPassage(values url.Values) (Passage, bool) {
	read, err := readOnce(values, "host", "start", "to")
	if err != nil {
		return Passage{}, false
	}
	host, known := p.gateHost(read["host"])
	start, ok := identity.ParseDigest(read["start"])
	return Passage{host, start, read["to"]}, known && ok
}

// passageOf reads the passage from a path of ours, if it is one.
func (p *Portals) passageOf(path string) (Passage, bool) {
	u, err := url.Parse(path)
	if err != nil || u.Path != GatePath {
		return Passage{}, false
	}
	return p.ReadPassage(u.Query())
}

// GateOf is where the host is found that a path of ours leads on to; empty for any other
// path.
func (p *Portals) GateOf(path string) string {
	passage, ok := p.passageOf(path)
	if !ok {
		return ""
	}
	return p.GateOrigin(passage.Host)
}

// Pass gives a session that is enough for the page asked for the way to its host: the
// address to be sent to. It is [identity.ErrForeign] where more is needed first, and
// [ErrNoPassage] where no login here could help.
func (p *Portals) Pass(ctx context.Context, passage Passage, s session.Session) (string, error) {
	d, ok := p.gateway[passage.Host].demandOf(http.MethodGet, passage.To)
	if !ok {
		return "", ErrNoPassage
	}
	d = d.at(p.now())
	if !identity.OldEnough(s.Age, d.minimumAge, d.floor()) {
		return "", identity.ErrUnderAge
	}
	if rule, unmet := d.unmet(s.Assessment, p.now()); unmet {
		if !p.canReach(rule.Trust) {
			return "", ErrNoPassage
		}
		return "", identity.ErrForeign
	}
	code := identity.NewToken()
	err := p.grants.OpenGate(ctx, code.Digest(), grant.Gate{Host: passage.Host, Start: passage.Start, Session: s.Handle, Created: instant(p.now())})
	if err != nil {
		return "", fmt.Errorf("open the gate: %w", err)
	}
	return WithQuery(p.GateOrigin(passage.Host)+enterPath, url.Values{"code": {code.Reveal()}, "to": {passage.To}}), nil
}

// ErrNoPassage says that no login here opens that page.
var ErrNoPassage = errors.New("no login opens that page")

// Enter spends the code of a passage at its host, beside what that keeps, and returns
// the id that is good there. A code that is none, or no longer, is [identity.ErrNotFound].
func (p *Portals) Enter(ctx context.Context, host string, code, start identity.Secret) (identity.Secret, error) {
	if !code.IsToken() || !start.IsToken() {
		return "", identity.ErrNotFound
	}
	id := identity.NewToken()
	g, err := p.grants.EnterGate(ctx, code.Digest(), host, start.Digest(), id.Digest())
	if err != nil {
		return "", err
	}
	if age := p.now().Sub(g.Created); age > grant.GateLife || age < -identity.Skew {
		return "", identity.ErrNotFound // spent, and its id given to nobody
	}
	return id, nil
}

// startAt is where a page of another host begins its login.
func (p *Portals) startAt(f Forwarded) string {
	to := "/"
	if again := f.Method == "" || f.Method == http.MethodGet || f.Method == http.MethodHead; again && strings.HasPrefix(f.Target, "/") && len(f.Target) <= maxReturn {
		to = f.Target
	}
	return WithQuery(p.GateOrigin(p.hostOf(f))+startPath, url.Values{"to": {to}})
}
