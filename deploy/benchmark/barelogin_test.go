package benchmark

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// bareLogin is the least that could log a patient in at NHS login: state and nonce
// kept, a client assertion signed RS512, the code exchanged, the ID token verified
// RS512, userinfo fetched, and as many commits as the service makes, on the same
// database engine with the same promise to the disk. It judges nothing beyond
// signature, nonce and subject, seals nothing, and shows no page.
func bareLogin(ctx context.Context) error {
	c, err := newBareClient(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.db.Close() }()
	return answer(ctx, c.serve, loginPath, startPath, callbackPath)
}

type bareClient struct {
	key      *rsa.PrivateKey
	provider *rsa.PublicKey
	endpoint struct {
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
		Userinfo      string `json:"userinfo_endpoint"`
		JWKS          string `json:"jwks_uri"`
	}
	db                                    *sql.DB
	begin, spend, account, session, event *sql.Stmt
}

func newBareClient(ctx context.Context) (*bareClient, error) {
	c := new(bareClient)
	file, err := os.ReadFile(*key)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, errors.New("client key: wanted PEM, got something else")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	c.key = private.(*rsa.PrivateKey)
	if err := fetch(ctx, *issuer+"/.well-known/openid-configuration", "", &c.endpoint); err != nil {
		return nil, err
	}
	if err := c.readKeys(ctx); err != nil {
		return nil, err
	}
	return c, c.open(ctx)
}

func (c *bareClient) readKeys(ctx context.Context) error {
	var set struct {
		Keys []struct{ N, E string }
	}
	if err := fetch(ctx, c.endpoint.JWKS, "", &set); err != nil {
		return err
	}
	if len(set.Keys) == 0 {
		return errors.New("key set: wanted a key, got none")
	}
	n, errN := base64.RawURLEncoding.DecodeString(set.Keys[0].N)
	e, errE := base64.RawURLEncoding.DecodeString(set.Keys[0].E)
	c.provider = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	return errors.Join(errN, errE)
}

func (c *bareClient) open(ctx context.Context) error {
	var err error
	c.db, err = openBare(ctx, `
		CREATE TABLE attempts (state TEXT PRIMARY KEY, browser TEXT NOT NULL, nonce TEXT NOT NULL, spent BIGINT NOT NULL);
		CREATE TABLE accounts (issuer TEXT NOT NULL, subject TEXT NOT NULL, details TEXT NOT NULL, PRIMARY KEY (issuer, subject));
		CREATE TABLE sessions (secret BLOB PRIMARY KEY, subject TEXT NOT NULL, created BIGINT NOT NULL);
		CREATE TABLE events (at BIGINT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL);`, map[**sql.Stmt]string{
		&c.begin:   `INSERT INTO attempts (state, browser, nonce, spent) VALUES ($1, $2, $3, 0)`,
		&c.spend:   `UPDATE attempts SET spent = 1 WHERE state = $1 AND browser = $2 AND spent = 0 RETURNING nonce`,
		&c.account: `INSERT INTO accounts (issuer, subject, details) VALUES ($1, $2, $3) ON CONFLICT DO UPDATE SET details = excluded.details`,
		&c.session: `INSERT INTO sessions (secret, subject, created) VALUES ($1, $2, $3)`,
		&c.event:   `INSERT INTO events (at, kind, subject) VALUES ($1, 'login', $2)`,
	})
	return err
}

func (c *bareClient) serve(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Path {
	case startPath:
		return c.leave(w, r)
	case callbackPath:
		return c.arrive(w, r)
	}
	return nil
}

// leave sends the patient to the provider: the first commit.
func (c *bareClient) leave(w http.ResponseWriter, r *http.Request) error {
	state, nonce, browser := rand.Text(), rand.Text(), rand.Text()
	if _, err := c.begin.ExecContext(r.Context(), state, browser, nonce); err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: "browser", Value: browser, Path: "/", HttpOnly: true})
	w.Header().Set("Location", c.endpoint.Authorization+"?"+url.Values{
		"client_id": {clientID}, "redirect_uri": {*callback}, "response_type": {"code"}, "state": {state}, "nonce": {nonce},
		"scope": {"openid profile profile_extended email phone"}, "vtr": {`["P9.Cp.Cd","P9.Cp.Ck","P9.Cm"]`},
	}.Encode())
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// arrive takes the answer: the second commit before the exchange, the third with
// the session.
func (c *bareClient) arrive(w http.ResponseWriter, r *http.Request) error {
	browser, err := r.Cookie("browser")
	if err != nil {
		return err
	}
	var nonce string
	if err := c.spend.QueryRowContext(r.Context(), r.FormValue("state"), browser.Value).Scan(&nonce); err != nil {
		return err
	}
	access, subject, err := c.exchange(r.Context(), r.FormValue("code"), nonce)
	if err != nil {
		return err
	}
	var details map[string]any
	if err := fetch(r.Context(), c.endpoint.Userinfo, access, &details); err != nil {
		return err
	}
	if details["sub"] != subject {
		return errors.New("userinfo: wanted the same sub, got another")
	}
	secret, err := c.keep(r.Context(), subject, details)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", HttpOnly: true})
	w.Header().Set("Location", "/account")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (c *bareClient) exchange(ctx context.Context, code, nonce string) (access, subject string, err error) {
	assertion, err := c.assertion()
	if err != nil {
		return "", "", err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {*callback}, "client_id": {clientID},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var given struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	if err := send(r, &given); err != nil {
		return "", "", err
	}
	subject, err = c.verify(given.ID, nonce)
	return given.Access, subject, err
}

// assertion names the client (RFC 7523).
func (c *bareClient) assertion() (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": clientID, "sub": clientID, "aud": c.endpoint.Token, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS512","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha512.Sum512([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, c.key, crypto.SHA512, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// verify returns the subject of an ID token of the provider's for that nonce.
func (c *bareClient) verify(raw, nonce string) (string, error) {
	end := strings.LastIndexByte(raw, '.')
	begin := strings.IndexByte(raw, '.')
	if begin < 0 || begin == end {
		return "", errors.New("ID token: wanted a JWT, got something else")
	}
	signature, err := base64.RawURLEncoding.DecodeString(raw[end+1:])
	if err != nil {
		return "", err
	}
	sum := sha512.Sum512([]byte(raw[:end]))
	if err := rsa.VerifyPKCS1v15(c.provider, crypto.SHA512, sum[:], signature); err != nil {
		return "", err
	}
	text, err := base64.RawURLEncoding.DecodeString(raw[begin+1 : end])
	if err != nil {
		return "", err
	}
	var claims struct{ Sub, Nonce string }
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", err
	}
	if claims.Nonce != nonce {
		return "", errors.New("ID token: wanted its own nonce, got another")
	}
	return claims.Sub, nil
}

// keep writes account, session and event in one transaction.
func (c *bareClient) keep(ctx context.Context, subject string, details map[string]any) (string, error) {
	text, err := json.Marshal(details)
	if err != nil {
		return "", err
	}
	secret, now := rand.Text(), time.Now().UnixMicro()
	digest := sha256.Sum256([]byte(secret))
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.StmtContext(ctx, c.account).ExecContext(ctx, *issuer, subject, string(text)); err != nil {
		return "", err
	}
	if _, err := tx.StmtContext(ctx, c.session).ExecContext(ctx, digest[:], subject, now); err != nil {
		return "", err
	}
	if _, err := tx.StmtContext(ctx, c.event).ExecContext(ctx, now, subject); err != nil {
		return "", err
	}
	return secret, tx.Commit()
}

// fetch reads a JSON document.
func fetch(ctx context.Context, from, bearer string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return send(r, into)
}

func send(r *http.Request, into any) error {
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: wanted status 200, got %d", r.URL.Path, answer.StatusCode)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}
