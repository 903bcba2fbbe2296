package service

// refused is what each edit of the good configuration is told, line by line.
var refused = map[string]struct {
	edit edit
	want string
}{
	"the good one itself": {edit{}, ""},
	"unknown key, near": {
		edit{"keys: /var/lib/dilys/keys": "key: /var/lib/dilys/keys"},
		"",
	},
	"unknown key, far": {
		edit{"sessions: {preset: nhs-login-web}": "frobnicate: 1"},
		"",
	},
	"unknown key in a provider": {
		edit{"client_id: dilys-example": "client_idd: dilys-example"},
		"",
	},
	"duplicate key": {
		edit{"keys: /var/lib/dilys/keys": "keys: /var/lib/dilys/keys\nkeys: /elsewhere"},
		"",
	},
	"duplicate key in a mapping": {
		edit{"{preset: nhs-login-web}": "{preset: nhs-login-web, preset: nhs-app}"},
		"",
	},
	"a key with nothing after it": {
		edit{"listen: 127.0.0.1:8080\n": "listen:\n"},
		"",
	},
	"a list where text was wanted": {
		edit{"keys: /var/lib/dilys/keys": "keys: [/var/lib/dilys/keys]"},
		"",
	},
	"text where a list was wanted": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: P9.Cp.Cd"},
		"",
	},
	"text where a mapping was wanted": {
		edit{"sessions: {preset: nhs-login-web}": "sessions: nhs-login-web"},
		"",
	},
	"an anchor": {
		edit{"languages: [en, cy]": "languages: &l [en, cy]"},
		"",
	},
	"not YAML": {
		edit{"languages: [en, cy]": "languages: [en, cy"},
		"",
	},
	"missing public_url": {
		edit{"public_url: https://login.example.nhs.uk\n": ""},
		"",
	},
	"public_url with a slash at its end": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk/\nlisten"},
		"",
	},
	"public_url with a path": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk/dilys\nlisten"},
		"",
	},
	"public_url with a query": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk?a=b\nlisten"},
		"",
	},
	"public_url with an empty query": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk?\nlisten"},
		"",
	},
	"public_url with a fragment": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk#a\nlisten"},
		"",
	},
	"public_url with a user": {
		edit{"https://login.example.nhs.uk\nlisten": "https://dilys@login.example.nhs.uk\nlisten"},
		"",
	},
	"public_url with its own port": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk:443\nlisten"},
		"",
	},
	"public_url in capitals": {
		edit{"login.example.nhs.uk\nlisten": "Login.example.nhs.uk\nlisten"},
		"",
	},
	"public_url without scheme": {
		edit{"https://login.example.nhs.uk\nlisten": "login.example.nhs.uk\nlisten"},
		"",
	},
	"public_url over http": {
		edit{"https://login.example.nhs.uk\nlisten": "http://login.example.nhs.uk\nlisten"},
		"",
	},
	"public_url on loopback over http, unasked": {
		edit{"https://login.example.nhs.uk\nlisten": "http://localhost:8080\nlisten", "login.example.nhs.uk\n      rules": "localhost:8080\n      rules"},
		"",
	},
	"public_url of another scheme": {
		edit{"https://login.example.nhs.uk\nlisten": "ftp://login.example.nhs.uk\nlisten"},
		"",
	},
	"public_url in other letters": {
		edit{"https://login.example.nhs.uk\nlisten": "https://lôgin.example.nhs.uk\nlisten"},
		"",
	},
	"public_url with an empty port": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk:\nlisten"},
		"",
	},
	"insecure_loopback with other addresses": {
		edit{"listen: 127.0.0.1:8080": "insecure_loopback: true\nlisten: 0.0.0.0:8080"},
		"",
	},
	"insecure_loopback that is no truth": {
		edit{"listen: 127.0.0.1:8080": "insecure_loopback: perhaps\nlisten: 127.0.0.1:8080"},
		"",
	},
	"listen without a port": {
		edit{"listen: 127.0.0.1:8080": "listen: 127.0.0.1"},
		"",
	},
	"listen on a name": {
		edit{"listen: 127.0.0.1:8080": "listen: example.org:8080"},
		"",
	},
	"operations on the public address": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: 0.0.0.0:9090"},
		"",
	},
	"operations on every address": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: :9090"},
		"",
	},
	"operations on a public address": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: 192.0.2.1:9090"},
		"",
	},
	"operations on the port of listen": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: 127.0.0.1:8080"},
		"",
	},
	"everybody a trusted proxy": {
		edit{"[10.1.0.0/16]": "[0.0.0.0/0]"},
		"",
	},
	"everybody a trusted proxy, in two halves": {
		edit{"[10.1.0.0/16]": "[0.0.0.0/1, 128.0.0.0/1]"},
		"",
	},
	"everybody a trusted proxy, IPv6": {
		edit{"[10.1.0.0/16]": `["::/0"]`},
		"",
	},
	"a trusted proxy twice": {
		edit{"[10.1.0.0/16]": "[10.1.0.0/16, 10.1.0.0/16]"},
		"",
	},
	"a network with bits after its mask": {
		edit{"[10.1.0.0/16]": "[10.1.0.1/16]"},
		"",
	},
	"a proxy by name": {
		edit{"[10.1.0.0/16]": "[proxy.example.org]"},
		"",
	},
	"database of another kind": {
		edit{"sqlite:/var/lib/dilys/dilys.db": "mysql://dilys@db/dilys"},
		"",
	},
	"database without a file": {
		edit{"sqlite:/var/lib/dilys/dilys.db": "sqlite"},
		"",
	},
	"database with a password in its address": {
		edit{"sqlite:/var/lib/dilys/dilys.db": "postgres://dilys:a-password@db/dilys"},
		"",
	},
	"a password for SQLite": {
		edit{"keys: /var": "database_password_file: database\nkeys: /var"},
		"",
	},
	"Redis": {
		edit{"keys: /var": "redis: [redis://cache:6379/0]\nkeys: /var"},
		"",
	},
	"a language that we do not write": {
		edit{"languages: [en, cy]": "languages: [en, fr]"},
		"",
	},
	"a language twice": {
		edit{"languages: [en, cy]": "languages: [en, en, cy]"},
		"",
	},
	"no language": {
		edit{"languages: [en, cy]": "languages: []"},
		"",
	},
	"a name in one language": {
		edit{"{en: My Health, cy: Fy Iechyd}": "{en: My Health}"},
		"",
	},
	"a name in no language": {
		edit{"{en: My Health, cy: Fy Iechyd}": "My Health"},
		"",
	},
	"a name in a third language": {
		edit{"{en: My Health, cy: Fy Iechyd}": "{en: My Health, cy: Fy Iechyd, fr: Ma Santé}"},
		"",
	},
	"an empty name": {
		edit{"{en: My Health, cy: Fy Iechyd}": `{en: My Health, cy: ""}`},
		"",
	},
	"no organisation": {
		edit{"organisation:\n  name: {en: Example Health Board, cy: Bwrdd Iechyd Enghreifftiol}\n": ""},
		"",
	},
	"a logo that is none": {
		edit{"organisation:": "organisation:\n  logo: logo.txt"},
		"",
	},
	"a test to come": {
		edit{"organisation:": "organisation:\n  accessibility: {tested_on: 2026-11-22, method: {en: By hand, cy: Â llaw}}"},
		"",
	},
	"a test without a day": {
		edit{"organisation:": "organisation:\n  accessibility: {method: {en: By hand, cy: Â llaw}}"},
		"",
	},
	"a help desk without digits": {
		edit{"organisation:": "organisation:\n  help: {phone: call us, email: somewhere}"},
		"",
	},
	"a notice in one language": {
		edit{"keys: /var": "notice: {en: Closed}\nkeys: /var"},
		"",
	},
	"a notice until someday": {
		edit{"keys: /var": "notice: {en: Closed, cy: Ar gau, until: tomorrow}\nkeys: /var"},
		"",
	},
	"sessions idle for longer than the preset": {
		edit{"{preset: nhs-login-web}": "{idle: 31m}"},
		"",
	},
	"sessions longer than the preset": {
		edit{"{preset: nhs-login-web}": "{absolute: 13h}"},
		"",
	},
	"sessions idle for longer than the NHS App's": {
		edit{"{preset: nhs-login-web}": "{preset: nhs-app, idle: 11m}"},
		"",
	},
	"sessions idle for longer than at all": {
		edit{"{preset: nhs-login-web}": "{idle: 30m, absolute: 20m}"},
		"",
	},
	"a time without a unit": {
		edit{"{preset: nhs-login-web}": "{idle: 600}"},
		"",
	},
	"a preset unknown": {
		edit{"{preset: nhs-login-web}": "{preset: nhs-login}"},
		"",
	},
	"no provider": {
		edit{"providers:\n  - id: nhs-login\n    kind: nhs-login\n    issuer: https://auth.login.nhs.uk\n    client_id: dilys-example\n    client_key: rsa.pem\n    trust: [P9.Cp.Cd, P9.Cm]\n    scopes: [openid, profile]\n  - id: clinic\n    kind: oidc\n    name: {en: Clinic, cy: Clinig}\n    issuer: https://id.example.org/\n    client_id: dilys\n    client_secret_file: clinic-secret\n": "providers: []\n"},
		"",
	},
	"a provider of a kind to come": {
		edit{"kind: nhs-login": "kind: one-login"},
		"",
	},
	"a provider of no kind": {
		edit{"    kind: nhs-login\n": ""},
		"",
	},
	"an id with capitals": {
		edit{"id: nhs-login": "id: NHS-login"},
		"",
	},
	"an id too long": {
		edit{"id: nhs-login": "id: a23456789012345678901234567890123"},
		"",
	},
	"an id that is a page": {
		edit{"id: nhs-login": "id: email"},
		"",
	},
	"an id that is the callback": {
		edit{"id: nhs-login": "id: callback"},
		"",
	},
	"a provider twice": {
		edit{"id: clinic": "id: nhs-login"},
		"",
	},
	"issuer over http": {
		edit{"https://id.example.org/": "http://id.example.org/"},
		"",
	},
	"issuer on loopback over http, unasked": {
		edit{"https://id.example.org/": "http://127.0.0.1:8082"},
		"",
	},
	"issuer with a query": {
		edit{"https://id.example.org/": "https://id.example.org/?a=b"},
		"",
	},
	"issuer with a fragment": {
		edit{"https://id.example.org/": "https://id.example.org/#a"},
		"",
	},
	"no client key": {
		edit{"    client_key: rsa.pem\n": ""},
		"",
	},
	"NHS login with a secret": {
		edit{"client_key: rsa.pem": "client_secret_file: clinic-secret"},
		"",
	},
	"client key missing": {
		edit{"client_key: rsa.pem": "client_key: none.pem"},
		"",
	},
	"client key too small": {
		edit{"client_key: rsa.pem": "client_key: small.pem"},
		"",
	},
	"client key of another kind": {
		edit{"client_key: rsa.pem": "client_key: p256.pem"},
		"",
	},
	"client key that is none": {
		edit{"client_key: rsa.pem": "client_key: group"},
		"",
	},
	"client key that is a folder": {
		edit{"client_key: rsa.pem": "client_key: folder"},
		"",
	},
	"another algorithm at NHS login": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    signing_alg: PS256"},
		"",
	},
	"an algorithm that does not fit the key": {
		edit{"client_secret_file: clinic-secret": "client_key: p256.pem\n    signing_alg: PS256"},
		"",
	},
	"no algorithm": {
		edit{"    client_id: dilys\n": "    client_id: dilys\n    id_token_algs: [none]\n"},
		"",
	},
	"a shared-key algorithm": {
		edit{"    client_id: dilys\n": "    client_id: dilys\n    id_token_algs: [HS256]\n"},
		"",
	},
	"key and secret": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    client_key: rsa.pem"},
		"",
	},
	"neither key nor secret": {
		edit{"    client_secret_file: clinic-secret\n": ""},
		"",
	},
	"no trust": {
		edit{"    trust: [P9.Cp.Cd, P9.Cm]\n": ""},
		"",
	},
	"an empty trust": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: []"},
		"",
	},
	"a vector misspelt": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: [P9.Cd.Cp]"},
		"",
	},
	"trust of a plain provider": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    trust: [P9.Cm]"},
		"",
	},
	"trust_map at NHS login": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: [P9.Cm]\n    trust_map: {a: P9.Cm}"},
		"",
	},
	"a trust_map of no vectors": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    trust_map: {urn:a: high}"},
		"",
	},
	"an empty trust_map": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    trust_map: {}"},
		"",
	},
	"scopes without openid": {
		edit{"scopes: [openid, profile]": "scopes: [profile]"},
		"",
	},
	"P9 without profile": {
		edit{"scopes: [openid, profile]": "scopes: [openid, email]"},
		"",
	},
	"P5 without profile": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]\n    scopes: [openid, profile]": "trust: [P5.Cp.Cd]\n    scopes: [openid]"},
		"",
	},
	"profile and basic_demographics": {
		edit{"scopes: [openid, profile]": "scopes: [openid, profile, basic_demographics]"},
		"",
	},
	"a scope misspelt": {
		edit{"scopes: [openid, profile]": "scopes: [openid, profil]"},
		"",
	},
	"the delegation scope": {
		edit{"scopes: [openid, profile]": "scopes: [openid, profile, delegation]"},
		"",
	},
	"a pkce of no kind": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    pkce: sometimes"},
		"",
	},
	"a prompt of no kind": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    prompt: login"},
		"",
	},
	"a name for NHS login": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    name: {en: NHS, cy: GIG}"},
		"",
	},
	"passkeys, to come": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    passkeys: true"},
		"",
	},
	"reprove, to come": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    reprove: 30d"},
		"",
	},
	"trust_lasts, to come": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    trust_lasts: 90d"},
		"",
	},
	"sign-up, to come": {
		edit{"keys: /var": "sign_up: {enabled: true, minimum_age: 16}\nkeys: /var"},
		"",
	},
	"a register, to come": {
		edit{"keys: /var": "register: {kind: index}\nkeys: /var"},
		"",
	},
	"a courier, to come": {
		edit{"keys: /var": "courier: {email: {kind: smtp}}\nkeys: /var"},
		"",
	},
	"secret file missing": {
		edit{"client_secret_file: portal-secret": "client_secret_file: none"},
		"",
	},
	"secret file for everybody": {
		edit{"client_secret_file: portal-secret": "client_secret_file: world"},
		"",
	},
	"secret file for its group": {
		edit{"client_secret_file: portal-secret": "client_secret_file: group"},
		"",
	},
	"secret in a folder": {
		edit{"client_secret_file: portal-secret": "client_secret_file: folder"},
		"",
	},
	"secret of 31 characters": {
		edit{"client_secret_file: portal-secret": "client_secret_file: short"},
		"",
	},
	"secret empty": {
		edit{"client_secret_file: portal-secret": "client_secret_file: empty"},
		"",
	},
	"secret of two lines": {
		edit{"client_secret_file: portal-secret": "client_secret_file: two-lines"},
		"",
	},
	"secret of one character": {
		edit{"client_secret_file: portal-secret": "client_secret_file: repeated"},
		"",
	},
	"secret of few characters": {
		edit{"client_secret_file: portal-secret": "client_secret_file: few"},
		"",
	},
	"secret out of an example": {
		edit{"client_secret_file: portal-secret": "client_secret_file: changed"},
		"",
	},
	"secret too long": {
		edit{"client_secret_file: portal-secret": "client_secret_file: large"},
		"",
	},
	"secret of another": {
		edit{"client_secret_file: portal-secret": "client_secret_file: clinic-secret"},
		"",
	},
	"a portal twice": {
		edit{"gateway:\n": "  - id: my-health\n    name: {en: A, cy: B}\n    redirect_uris: [https://a.example.org/]\n    trust: [P9.Cm]\ngateway:\n"},
		"",
	},
	"no redirect URI": {
		edit{"[https://portal.example.nhs.uk/callback]": "[]"},
		"",
	},
	"redirect URI over http": {
		edit{"[https://portal.example.nhs.uk/callback]": "[http://portal.example.nhs.uk/callback]"},
		"",
	},
	"redirect URI on loopback, unasked": {
		edit{"[https://portal.example.nhs.uk/callback]": "[http://127.0.0.1:8084/callback]"},
		"",
	},
	"redirect URI by pattern": {
		edit{"[https://portal.example.nhs.uk/callback]": "[https://*.example.nhs.uk/callback]"},
		"",
	},
	"redirect URI with a fragment": {
		edit{"[https://portal.example.nhs.uk/callback]": `["https://portal.example.nhs.uk/callback#a"]`},
		"",
	},
	"redirect URI twice": {
		edit{"[https://portal.example.nhs.uk/callback]": "[https://portal.example.nhs.uk/callback, https://portal.example.nhs.uk/callback]"},
		"",
	},
	"redirect URI without host": {
		edit{"[https://portal.example.nhs.uk/callback]": "[/callback]"},
		"",
	},
	"redirect URI of an app": {
		edit{"[https://portal.example.nhs.uk/callback]": "[org.example.app://callback]"},
		"",
	},
	"redirect URI of a script": {
		edit{"[https://portal.example.nhs.uk/callback]": `["javascript:alert(1)"]`},
		"",
	},
	"return after log-out over http": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    post_logout_redirect_uris: [http://portal.example.nhs.uk/]"},
		"",
	},
	"a portal without trust": {
		edit{"    client_secret_file: portal-secret\n    trust: [P9.Cp.Cd]\n": "    client_secret_file: portal-secret\n"},
		"",
	},
	"a portal with an empty trust": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: []"},
		"",
	},
	"a portal below P9": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P9.Cp.Cd, P5.Cp.Cd]"},
		"",
	},
	"a portal at P0": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P0.Cp]"},
		"",
	},
	"lower_proof over": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P5.Cm]\n    lower_proof: {reason: a, approved_by: b, until: 2026-11-20}"},
		"",
	},
	"lower_proof on its last day": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P5.Cm]\n    lower_proof: {reason: a, approved_by: b, until: 2026-11-21}"},
		"",
	},
	"lower_proof by nobody": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P5.Cm]\n    lower_proof: {}"},
		"",
	},
	"lower_proof of nothing": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P9.Cm]\n    lower_proof: {reason: a, approved_by: b, until: 2027-06-30}"},
		"",
	},
	"a public portal without PKCE": {
		edit{"client_secret_file: portal-secret": "pkce: optional"},
		"",
	},
	"a portal's scope unknown": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    scopes: [openid, phones]"},
		"",
	},
	"a portal's scopes without openid": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    scopes: [profile]"},
		"",
	},
	"offline_access, to come": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    scopes: [openid, offline_access]"},
		"",
	},
	"a portal straight to nobody": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    provider: nhs-loggin"},
		"",
	},
	"a portal of another algorithm": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    id_token_alg: none"},
		"",
	},
	"an age below nothing": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    minimum_age: -1"},
		"",
	},
	"an age beyond": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    minimum_age: 26"},
		"",
	},
	"log-out notices, to come": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    backchannel_logout_uri: https://portal.example.nhs.uk/out"},
		"",
	},
	"client keys, to come": {
		edit{"client_secret_file: portal-secret": "client_jwks_file: rsa.pem"},
		"",
	},
	"client keys by address, to come": {
		edit{"client_secret_file: portal-secret": "client_jwks_uri: https://portal.example.nhs.uk/keys"},
		"",
	},
	"pairwise, to come": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    subject: pairwise"},
		"",
	},
	"acting, to come": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    acting: supported"},
		"",
	},
	"tokens at a check, to come": {
		edit{"      rules:": "      token: true\n      rules:"},
		"",
	},
	"a gateway without hosts": {
		edit{"  hosts:\n    - host: login.example.nhs.uk\n      rules:\n        - {path: /, trust: [P9.Cp.Cd]}\n        - {path: /leaflets/, public: true}\n": "  hosts: []\n"},
		"",
	},
	"another host behind the gateway": {
		edit{"host: login.example.nhs.uk": "host: letters.example.nhs.uk"},
		"",
	},
	"a host without rules": {
		edit{"      rules:\n        - {path: /, trust: [P9.Cp.Cd]}\n        - {path: /leaflets/, public: true}\n": "      rules: []\n"},
		"",
	},
	"a rule below P9": {
		edit{"{path: /, trust: [P9.Cp.Cd]}": "{path: /, trust: [P5.Cp.Cd]}"},
		"",
	},
	"a rule of nothing": {
		edit{"{path: /, trust: [P9.Cp.Cd]}": "{path: /}"},
		"",
	},
	"a rule both public and not": {
		edit{"{path: /leaflets/, public: true}": "{path: /leaflets/, public: true, trust: [P9.Cm]}"},
		"",
	},
	"a rule that is not public": {
		edit{"{path: /leaflets/, public: true}": "{path: /leaflets/, public: false}"},
		"",
	},
	"a path without slash": {
		edit{"path: /leaflets/": "path: leaflets/"},
		"",
	},
	"a path with dots": {
		edit{"path: /leaflets/": "path: /a/../leaflets/"},
		"",
	},
	"a path with two slashes": {
		edit{"path: /leaflets/": "path: //leaflets/"},
		"",
	},
	"a path with an escape": {
		edit{"path: /leaflets/": "path: /leaf%2flets/"},
		"",
	},
	"a path by pattern": {
		edit{"path: /leaflets/": "path: /leaflets/*"},
		"",
	},
	"a path that ends in a dot": {
		edit{"path: /leaflets/": "path: /leaflets./a"},
		"",
	},
	"a rule twice": {
		edit{"path: /leaflets/, public: true": "path: /leaflets, public: true}\n        - {path: /leaflets/, public: true"},
		"",
	},
	"a rule twice for a method": {
		edit{"path: /leaflets/, public: true": "path: /leaflets/, methods: [GET, POST], public: true}\n        - {path: /leaflets/, methods: [POST], trust: [P9.Cm]"},
		"",
	},
	"a method in small letters": {
		edit{"path: /leaflets/, public: true": "path: /leaflets/, methods: [get], public: true"},
		"",
	},
	"a max_age too short to be met": {
		edit{"path: /, trust: [P9.Cp.Cd]": "path: /, trust: [P9.Cp.Cd], max_age: 10s"},
		"",
	},
	"an activity of no kind": {
		edit{"path: /, trust: [P9.Cp.Cd]": "path: /, trust: [P9.Cp.Cd], activity: none"},
		"",
	},
}
