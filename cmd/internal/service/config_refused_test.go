package service

// refused is what each edit of the good configuration is told, line by line.
var refused = map[string]refusedRow{
	"the good one itself": {edit{}, ""},
	"unknown key, near": {
		edit{"keys: /var/lib/dilys/keys": "key: /var/lib/dilys/keys"},
		"1:1: keys: wanted a path, got nothing" + "\n" +
			"6:1: key: wanted a known key, did you mean keys, got an unknown key",
	},
	"unknown key, far": {
		edit{"sessions: {preset: nhs-login-web}": "frobnicate: 1"},
		"10:1: frobnicate: wanted one of insecure_loopback, public_url, listen, operations_listen, trusted_proxies, database, database_password_file, redis, redis_password_file, keys, languages, organisation, notice, sessions, courier, sign_up, register, providers, limits, portals, gateway, got an unknown key",
	},
	"unknown key in a provider": {
		edit{"client_id: dilys-example": "client_idd: dilys-example"},
		"12:5: providers[0].client_id: wanted a client id, got nothing" + "\n" +
			"15:5: providers[0].client_idd: wanted a known key, did you mean client_id, got an unknown key",
	},
	"duplicate key": {
		edit{"keys: /var/lib/dilys/keys": "keys: /var/lib/dilys/keys\nkeys: /elsewhere"},
		"7:1: keys: wanted the key once, got it again, after line 6",
	},
	"duplicate key in a mapping": {
		edit{"{preset: nhs-login-web}": "{preset: nhs-login-web, preset: nhs-app}"},
		"10:35: sessions.preset: wanted the key once, got it again, after line 10",
	},
	"a key with nothing after it": {
		edit{"listen: 127.0.0.1:8080\n": "listen:\n"},
		"2:1: listen: wanted host:port, such as 127.0.0.1:8080, got nothing",
	},
	"a list where text was wanted": {
		edit{"keys: /var/lib/dilys/keys": "keys: [/var/lib/dilys/keys]"},
		"6:7: keys: wanted a path, got a list",
	},
	"text where a list was wanted": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: P9.Cp.Cd"},
		`17:12: providers[0].trust: wanted a list, each a vector such as P9.Cp.Cd, got "P9.Cp.Cd"`,
	},
	"text where a mapping was wanted": {
		edit{"sessions: {preset: nhs-login-web}": "sessions: nhs-login-web"},
		`10:11: sessions: wanted a mapping, got "nhs-login-web"`,
	},
	"an anchor": {
		edit{"languages: [en, cy]": "languages: &l [en, cy]"},
		"7:12: yaml: wanted plain YAML: each value written where it counts, got an anchor (&)",
	},
	"not YAML": {
		edit{"languages: [en, cy]": "languages: [en, cy"},
		"8:1: yaml: wanted YAML, got ',' or ']' must be specified",
	},
	"missing public_url": {
		edit{"public_url: https://login.example.nhs.uk\n": ""},
		"1:1: public_url: wanted an https address, got nothing",
	},
	"public_url with a slash at its end": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk/\nlisten"},
		`1:13: public_url: wanted scheme and host alone, without a slash at the end, got "https://login.example.nhs.uk/"`,
	},
	"public_url with a path": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk/dilys\nlisten"},
		`1:13: public_url: wanted scheme and host alone, without a slash at the end, got "https://login.example.nhs.uk/dilys"`,
	},
	"public_url with a query": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk?a=b\nlisten"},
		`1:13: public_url: wanted scheme and host alone, without a slash at the end, got "https://login.example.nhs.uk?…"`,
	},
	"public_url with an empty query": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk?\nlisten"},
		`1:13: public_url: wanted scheme and host alone, without a slash at the end, got "https://login.example.nhs.uk?…"`,
	},
	"public_url with a fragment": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk#a\nlisten"},
		`1:13: public_url: wanted an address without #, got "https://login.example.nhs.uk#a"`,
	},
	"public_url with a user": {
		edit{"https://login.example.nhs.uk\nlisten": "https://dilys@login.example.nhs.uk\nlisten"},
		`1:13: public_url: wanted an address without user name and password, got "https://…@login.example.nhs.uk"`,
	},
	"public_url with its own port": {
		edit{"login.example.nhs.uk\nlisten": "login.example.nhs.uk:443\nlisten"},
		`1:13: public_url: wanted an address without the scheme's own port, got "https://login.example.nhs.uk:443"`,
	},
	"public_url in capitals": {
		edit{"login.example.nhs.uk\nlisten": "Login.example.nhs.uk\nlisten"},
		`1:13: public_url: wanted an address in lower case, got "https://Login.example.nhs.uk"`,
	},
	"public_url without scheme": {
		edit{"https://login.example.nhs.uk\nlisten": "login.example.nhs.uk\nlisten"},
		`1:13: public_url: wanted an absolute https address in ASCII, got "login.example.nhs.uk"`,
	},
	"public_url over http": {
		edit{"https://login.example.nhs.uk\nlisten": "http://login.example.nhs.uk\nlisten"},
		`1:13: public_url: wanted an https address, got "http://login.example.nhs.uk"`,
	},
	"public_url on loopback over http, unasked": {
		edit{"https://login.example.nhs.uk\nlisten": "http://localhost:8080\nlisten", "login.example.nhs.uk\n      rules": "localhost:8080\n      rules"},
		`1:13: public_url: wanted an https address, or insecure_loopback: true, got "http://localhost:8080"`,
	},
	"public_url of another scheme": {
		edit{"https://login.example.nhs.uk\nlisten": "ftp://login.example.nhs.uk\nlisten"},
		`1:13: public_url: wanted an https address, got "ftp://login.example.nhs.uk"`,
	},
	"public_url in other letters": {
		edit{"https://login.example.nhs.uk\nlisten": "https://lôgin.example.nhs.uk\nlisten"},
		`1:13: public_url: wanted an absolute https address in ASCII, got "https://lôgin.example.nhs.uk"`,
	},
	"public_url with an empty port": {
		edit{"https://login.example.nhs.uk\nlisten": "\"https://login.example.nhs.uk:\"\nlisten"},
		`1:13: public_url: wanted an absolute https address in ASCII, got "https://login.example.nhs.uk:"`,
	},
	"insecure_loopback with other addresses": {
		edit{"listen: 127.0.0.1:8080": "insecure_loopback: true\nlisten: 0.0.0.0:8080"},
		`1:13: public_url: wanted a loopback address, as insecure_loopback is true, got "https://login.example.nhs.uk"` + "\n" +
			`3:9: listen: wanted a loopback address, as insecure_loopback is true, got "0.0.0.0:8080"` + "\n" +
			`15:13: providers[0].issuer: wanted a loopback address, as insecure_loopback is true, got "https://auth.login.nhs.uk"` + "\n" +
			`23:13: providers[1].issuer: wanted a loopback address, as insecure_loopback is true, got "https://id.example.org/"` + "\n" +
			`29:21: portals[0].redirect_uris[0]: wanted a loopback address, as insecure_loopback is true, got "https://portal.example.nhs.uk/callback"` + "\n" +
			`34:13: gateway.hosts[0].host: wanted a loopback host, as insecure_loopback is true, got "login.example.nhs.uk"`,
	},
	"insecure_loopback that is no truth": {
		edit{"listen: 127.0.0.1:8080": "insecure_loopback: perhaps\nlisten: 127.0.0.1:8080"},
		`2:20: insecure_loopback: wanted true or false, got "perhaps"`,
	},
	"listen without a port": {
		edit{"listen: 127.0.0.1:8080": "listen: 127.0.0.1"},
		`2:9: listen: wanted host:port, such as 127.0.0.1:8080, got "127.0.0.1"`,
	},
	"listen on a name": {
		edit{"listen: 127.0.0.1:8080": "listen: example.org:8080"},
		`2:9: listen: wanted host:port, such as 127.0.0.1:8080, got "example.org:8080"`,
	},
	"operations on the public address": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: 0.0.0.0:9090"},
		`3:20: operations_listen: wanted a loopback or private address, got "0.0.0.0:9090"`,
	},
	"operations on every address": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: :9090"},
		`3:20: operations_listen: wanted a loopback or private address, got ":9090"`,
	},
	"operations on a public address": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: 192.0.2.1:9090"},
		`3:20: operations_listen: wanted a loopback or private address, got "192.0.2.1:9090"`,
	},
	"operations on the port of listen": {
		edit{"operations_listen: 127.0.0.1:9090": "operations_listen: 127.0.0.1:8080"},
		`3:20: operations_listen: wanted another port than listen: operations never answer patients, got "127.0.0.1:8080"`,
	},
	"everybody a trusted proxy": {
		edit{"[10.1.0.0/16]": "[0.0.0.0/0]"},
		`4:19: trusted_proxies[0]: wanted a network of /8 or narrower, got "0.0.0.0/0"`,
	},
	"everybody a trusted proxy, in two halves": {
		edit{"[10.1.0.0/16]": "[0.0.0.0/1, 128.0.0.0/1]"},
		`4:19: trusted_proxies[0]: wanted a network of /8 or narrower, got "0.0.0.0/1"` + "\n" +
			`4:30: trusted_proxies[1]: wanted a network of /8 or narrower, got "128.0.0.0/1"`,
	},
	"everybody a trusted proxy, IPv6": {
		edit{"[10.1.0.0/16]": `["::/0"]`},
		`4:19: trusted_proxies[0]: wanted a network of /7 or narrower, got "::/0"`,
	},
	"a trusted proxy twice": {
		edit{"[10.1.0.0/16]": "[10.1.0.0/16, 10.1.0.0/16]"},
		`4:32: trusted_proxies[1]: wanted each once, got "10.1.0.0/16" again`,
	},
	"a network with bits after its mask": {
		edit{"[10.1.0.0/16]": "[10.1.0.1/16]"},
		`4:19: trusted_proxies[0]: wanted a network without bits after its mask, such as 10.1.0.0/16, got "10.1.0.1/16"`,
	},
	"a proxy by name": {
		edit{"[10.1.0.0/16]": "[proxy.example.org]"},
		`4:19: trusted_proxies[0]: wanted a network such as 10.1.0.0/16 or an address, got "proxy.example.org"`,
	},
	"database of another kind": {
		edit{"sqlite:/var/lib/dilys/dilys.db": "mysql://dilys@db/dilys"},
		`5:11: database: wanted sqlite:PATH or postgres://user@host/name, got "mysql://…@db/dilys"`,
	},
	"database without a file": {
		edit{"sqlite:/var/lib/dilys/dilys.db": "sqlite"},
		`5:11: database: wanted sqlite:PATH or postgres://user@host/name, got "sqlite"`,
	},
	"database with a password in its address": {
		edit{"sqlite:/var/lib/dilys/dilys.db": "postgres://dilys:a-password@db/dilys"},
		`5:11: database: wanted an address without a password, which stands in database_password_file, got "postgres://…@db/dilys"`,
	},
	"a password for SQLite": {
		edit{"keys: /var": "database_password_file: database\nkeys: /var"},
		"6:25: database_password_file: wanted nothing, as SQLite has no password, got a file",
	},
	"Redis": {
		edit{"keys: /var": "redis: [redis://cache:6379/0]\nkeys: /var"},
		"6:8: redis: wanted [] or nothing: this version keeps nothing in Redis, got a list",
	},
	"a language that we do not write": {
		edit{"languages: [en, cy]": "languages: [en, fr]"},
		`7:17: languages[1]: wanted en or cy, got "fr"`,
	},
	"a language twice": {
		edit{"languages: [en, cy]": "languages: [en, en, cy]"},
		`7:17: languages[1]: wanted each once, got "en" again`,
	},
	"no language": {
		edit{"languages: [en, cy]": "languages: []"},
		"7:12: languages: wanted one or more, each en or cy, got an empty list",
	},
	"a name in one language": {
		edit{"{en: My Health, cy: Fy Iechyd}": "{en: My Health}"},
		"27:11: portals[0].name.cy: wanted text, got nothing",
	},
	"a name in no language": {
		edit{"{en: My Health, cy: Fy Iechyd}": "My Health"},
		`27:11: portals[0].name: wanted the text in each language: {en: …, cy: …}, got "My Health"`,
	},
	"a name in a third language": {
		edit{"{en: My Health, cy: Fy Iechyd}": "{en: My Health, cy: Fy Iechyd, fr: Ma Santé}"},
		"27:42: portals[0].name.fr: wanted one of en, cy, got an unknown key",
	},
	"an empty name": {
		edit{"{en: My Health, cy: Fy Iechyd}": `{en: My Health, cy: ""}`},
		`27:31: portals[0].name.cy: wanted text of at most 2000 bytes, got ""`,
	},
	"no organisation": {
		edit{"organisation:\n  name: {en: Example Health Board, cy: Bwrdd Iechyd Enghreifftiol}\n": ""},
		"1:1: organisation: wanted a mapping, got nothing",
	},
	"a logo that is none": {
		edit{"organisation:": "organisation:\n  logo: logo.txt"},
		"9:9: organisation.logo: wanted a PNG, JPEG, WebP or SVG image, got something else",
	},
	"a test to come": {
		edit{"organisation:": "organisation:\n  accessibility: {tested_on: 2026-11-22, method: {en: By hand, cy: Â llaw}}"},
		`9:30: organisation.accessibility.tested_on: wanted a day that has been, got "2026-11-22"`,
	},
	"a test without a day": {
		edit{"organisation:": "organisation:\n  accessibility: {method: {en: By hand, cy: Â llaw}}"},
		"9:18: organisation.accessibility.tested_on: wanted a date such as 2027-06-30, got nothing",
	},
	"a help desk without digits": {
		edit{"organisation:": "organisation:\n  help: {phone: call us, email: somewhere}"},
		`9:17: organisation.help.phone: wanted a phone number of 3 to 15 digits, got "call us"` + "\n" +
			`9:33: organisation.help.email: wanted an e-mail address, got "somewhere"`,
	},
	"a notice in one language": {
		edit{"keys: /var": "notice: {en: Closed}\nkeys: /var"},
		"6:9: notice.cy: wanted text, got nothing",
	},
	"a notice until someday": {
		edit{"keys: /var": "notice: {en: Closed, cy: Ar gau, until: tomorrow}\nkeys: /var"},
		`6:41: notice.until: wanted a time such as 2027-01-31T06:00:00Z, got "tomorrow"`,
	},
	"sessions idle for longer than the preset": {
		edit{"{preset: nhs-login-web}": "{idle: 31m}"},
		`10:18: sessions.idle: wanted a time of 1m to 30m, such as 90s, 30m, 12h or 30d, got "31m"`,
	},
	"sessions longer than the preset": {
		edit{"{preset: nhs-login-web}": "{absolute: 13h}"},
		`10:22: sessions.absolute: wanted a time of 1m to 12h, such as 90s, 30m, 12h or 30d, got "13h"`,
	},
	"sessions idle for longer than the NHS App's": {
		edit{"{preset: nhs-login-web}": "{preset: nhs-app, idle: 11m}"},
		`10:35: sessions.idle: wanted a time of 1m to 10m, such as 90s, 30m, 12h or 30d, got "11m"`,
	},
	"sessions idle for longer than at all": {
		edit{"{preset: nhs-login-web}": "{idle: 30m, absolute: 20m}"},
		`10:18: sessions.idle: wanted no more than absolute (20m), got "30m"`,
	},
	"a time without a unit": {
		edit{"{preset: nhs-login-web}": "{idle: 600}"},
		`10:18: sessions.idle: wanted a time of 1m to 30m, such as 90s, 30m, 12h or 30d, got "600"`,
	},
	"a preset unknown": {
		edit{"{preset: nhs-login-web}": "{preset: nhs-login}"},
		`10:20: sessions.preset: wanted nhs-login-web or nhs-app, did you mean nhs-login-web, got "nhs-login"`,
	},
	"no provider": {
		edit{"providers:\n  - id: nhs-login\n    kind: nhs-login\n    issuer: https://auth.login.nhs.uk\n    client_id: dilys-example\n    client_key: rsa.pem\n    trust: [P9.Cp.Cd, P9.Cm]\n    scopes: [openid, profile]\n  - id: clinic\n    kind: oidc\n    name: {en: Clinic, cy: Clinig}\n    issuer: https://id.example.org/\n    client_id: dilys\n    client_secret_file: clinic-secret\n": "providers: []\n"},
		"11:12: providers: wanted one or more, each a provider, got an empty list",
	},
	"a provider of a kind to come": {
		edit{"kind: nhs-login": "kind: one-login"},
		`13:11: providers[0].kind: wanted nhs-login or oidc, the kinds that this version knows, got "one-login"`,
	},
	"a provider of no kind": {
		edit{"    kind: nhs-login\n": ""},
		"12:5: providers[0].kind: wanted nhs-login or oidc, the kinds that this version knows, got nothing",
	},
	"an id with capitals": {
		edit{"id: nhs-login": "id: NHS-login"},
		`12:9: providers[0].id: wanted 1 to 32 of a-z, 0-9 and -, got "NHS-login"`,
	},
	"an id too long": {
		edit{"id: nhs-login": "id: a23456789012345678901234567890123"},
		`12:9: providers[0].id: wanted 1 to 32 of a-z, 0-9 and -, got "a23456789012345678901234567890123"`,
	},
	"an id that is a page": {
		edit{"id: nhs-login": "id: email"},
		`12:9: providers[0].id: wanted an id that is no page of our own, got "email"`,
	},
	"an id that is the callback": {
		edit{"id: nhs-login": "id: callback"},
		`12:9: providers[0].id: wanted an id that is no page of our own, got "callback"`,
	},
	"a provider twice": {
		edit{"id: clinic": "id: nhs-login"},
		`19:9: providers[1].id: wanted an id of its own, got "nhs-login"`,
	},
	"issuer over http": {
		edit{"https://id.example.org/": "http://id.example.org/"},
		`22:13: providers[1].issuer: wanted an https address, got "http://id.example.org/"`,
	},
	"issuer on loopback over http, unasked": {
		edit{"https://id.example.org/": "http://127.0.0.1:8082"},
		`22:13: providers[1].issuer: wanted an https address, or insecure_loopback: true, got "http://127.0.0.1:8082"`,
	},
	"issuer with a query": {
		edit{"https://id.example.org/": "https://id.example.org/?a=b"},
		`22:13: providers[1].issuer: wanted an address without a query, got "https://id.example.org/?…"`,
	},
	"issuer with a fragment": {
		edit{"https://id.example.org/": "https://id.example.org/#a"},
		`22:13: providers[1].issuer: wanted an address without #, got "https://id.example.org/#a"`,
	},
	"no client key": {
		edit{"    client_key: rsa.pem\n": ""},
		"12:5: providers[0].client_key: wanted a file, got nothing",
	},
	"NHS login with a secret": {
		edit{"client_key: rsa.pem": "client_secret_file: clinic-secret"},
		"12:5: providers[0].client_key: wanted a file, got nothing" + "\n" +
			"16:25: providers[0].client_secret_file: wanted nothing, as NHS login knows no client secret: use client_key, got a value",
	},
	"client key missing": {
		edit{"client_key: rsa.pem": "client_key: none.pem"},
		"16:17: providers[0].client_key: wanted a readable file of at most 64 KiB that not everybody may read (chmod o=), got no file of that name",
	},
	"client key too small": {
		edit{"client_key: rsa.pem": "client_key: small.pem"},
		"16:17: providers[0].client_key: wanted RSA of 2048 bits or more, or P-256, got another size or curve",
	},
	"client key of another kind": {
		edit{"client_key: rsa.pem": "client_key: p256.pem"},
		"16:17: providers[0].client_key: wanted a key for RS512, got one for ES256",
	},
	"client key that is none": {
		edit{"client_key: rsa.pem": "client_key: group"},
		"16:17: providers[0].client_key: wanted PEM or JWK, got neither",
	},
	"client key that is a folder": {
		edit{"client_key: rsa.pem": "client_key: folder"},
		"16:17: providers[0].client_key: wanted a readable file of at most 64 KiB that not everybody may read (chmod o=), got something else than a file",
	},
	"another algorithm at NHS login": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    signing_alg: PS256"},
		`17:18: providers[0].signing_alg: wanted RS512, got "PS256"`,
	},
	"an algorithm that does not fit the key": {
		edit{"client_secret_file: clinic-secret": "client_key: p256.pem\n    signing_alg: PS256"},
		`25:18: providers[1].signing_alg: wanted RS512 or PS256 with an RSA key, or ES256 with a P-256 key, got "PS256"`,
	},
	"no algorithm": {
		edit{"    client_id: dilys\n": "    client_id: dilys\n    id_token_algs: [none]\n"},
		`24:21: providers[1].id_token_algs[0]: wanted RS256 or RS512 or PS256 or ES256, got "none"`,
	},
	"a shared-key algorithm": {
		edit{"    client_id: dilys\n": "    client_id: dilys\n    id_token_algs: [HS256]\n"},
		`24:21: providers[1].id_token_algs[0]: wanted RS256 or RS512 or PS256 or ES256, got "HS256"`,
	},
	"key and secret": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    client_key: rsa.pem"},
		"24:25: providers[1].client_secret_file: wanted client_key or client_secret_file, got both",
	},
	"neither key nor secret": {
		edit{"    client_secret_file: clinic-secret\n": ""},
		"19:5: providers[1].client_key: wanted this or client_secret_file, got neither",
	},
	"no trust": {
		edit{"    trust: [P9.Cp.Cd, P9.Cm]\n": ""},
		"12:5: providers[0].trust: wanted a list, each a vector such as P9.Cp.Cd, got nothing",
	},
	"an empty trust": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: []"},
		"17:12: providers[0].trust: wanted one or more, each a vector such as P9.Cp.Cd, got an empty list",
	},
	"a vector misspelt": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: [P9.Cd.Cp]"},
		`17:13: providers[0].trust[0]: wanted a vector such as P9.Cp.Cd, got "P9.Cd.Cp"`,
	},
	"trust of a plain provider": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    trust: [P9.Cm]"},
		"25:12: providers[1].trust: wanted nothing, as only NHS login is asked in vectors: use trust_map, got a value",
	},
	"trust_map at NHS login": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]": "trust: [P9.Cm]\n    trust_map: {a: P9.Cm}"},
		"18:16: providers[0].trust_map: wanted nothing, as NHS login speaks in vectors: use trust, got a value",
	},
	"a trust_map of no vectors": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    trust_map: {\"urn:a\": high}"},
		`25:26: providers[1].trust_map.urn:a: wanted a vector such as P9.Cp.Cd, got "high"`,
	},
	"an empty trust_map": {
		edit{"client_secret_file: clinic-secret": "client_secret_file: clinic-secret\n    trust_map: {}"},
		"25:16: providers[1].trust_map: wanted one acr or more, each with its vector, got an empty mapping",
	},
	"scopes without openid": {
		edit{"scopes: [openid, profile]": "scopes: [profile]"},
		"18:13: providers[0].scopes: wanted openid among the scopes, got [profile]",
	},
	"P9 without profile": {
		edit{"scopes: [openid, profile]": "scopes: [openid, email]"},
		"18:13: providers[0].scopes: wanted profile or basic_demographics, as trust asks for P5 or P9, got [openid, email]",
	},
	"P5 without profile": {
		edit{"trust: [P9.Cp.Cd, P9.Cm]\n    scopes: [openid, profile]": "trust: [P5.Cp.Cd]\n    scopes: [openid]"},
		"18:13: providers[0].scopes: wanted profile or basic_demographics, as trust asks for P5 or P9, got [openid]",
	},
	"profile and basic_demographics": {
		edit{"scopes: [openid, profile]": "scopes: [openid, profile, basic_demographics]"},
		"18:13: providers[0].scopes: wanted profile or basic_demographics, which exclude each other, got both",
	},
	"a scope misspelt": {
		edit{"scopes: [openid, profile]": "scopes: [openid, profil]"},
		`18:22: providers[0].scopes[1]: wanted one of openid, profile, basic_demographics, profile_extended, email, phone, landline, gp_registration_details, gp_integration_credentials, client_metadata, nhs_app_credentials, did you mean profile, got "profil"`,
	},
	"the delegation scope": {
		edit{"scopes: [openid, profile]": "scopes: [openid, profile, delegation]"},
		`18:31: providers[0].scopes[2]: wanted one of openid, profile, basic_demographics, profile_extended, email, phone, landline, gp_registration_details, gp_integration_credentials, client_metadata, nhs_app_credentials, got "delegation"`,
	},
	"a pkce of no kind": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    pkce: sometimes"},
		`17:11: providers[0].pkce: wanted auto or always or never, got "sometimes"`,
	},
	"a prompt of no kind": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    prompt: login"},
		`17:13: providers[0].prompt: wanted auto or always or never, got "login"`,
	},
	"a name for NHS login": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    name: {en: NHS, cy: GIG}"},
		"17:11: providers[0].name: wanted nothing, as the button and name of NHS login follow its own rules, got a value",
	},
	"passkeys of no kind": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    passkeys: maybe"},
		`17:15: providers[0].passkeys: wanted true or false, got "maybe"`,
	},
	"a provider that is never asked again": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    reprove: 400d"},
		`17:14: providers[0].reprove: wanted a time of 1h to 8760h, such as 90s, 30m, 12h or 30d, got "400d"`,
	},
	"a proof that lasts no time": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    trust_lasts: 1m"},
		`17:18: providers[0].trust_lasts: wanted a time of 1h to 8760h, such as 90s, 30m, 12h or 30d, got "1m"`,
	},
	"secret file missing": {
		edit{"client_secret_file: portal-secret": "client_secret_file: none"},
		"29:25: portals[0].client_secret_file: wanted a readable file of at most 4 KiB that not everybody may read (chmod o=), got no file of that name",
	},
	"secret file for everybody": {
		edit{"client_secret_file: portal-secret": "client_secret_file: world"},
		"29:25: portals[0].client_secret_file: wanted a readable file of at most 4 KiB that not everybody may read (chmod o=), got a world-readable one (mode 0604)",
	},
	"secret file for its group": {
		edit{"client_secret_file: portal-secret": "client_secret_file: group"},
		"",
	},
	"secret in a folder": {
		edit{"client_secret_file: portal-secret": "client_secret_file: folder"},
		"29:25: portals[0].client_secret_file: wanted a readable file of at most 4 KiB that not everybody may read (chmod o=), got something else than a file",
	},
	"secret of 31 characters": {
		edit{"client_secret_file: portal-secret": "client_secret_file: short"},
		"29:25: portals[0].client_secret_file: wanted a secret of 32 characters or more, got 31 characters",
	},
	"secret empty": {
		edit{"client_secret_file: portal-secret": "client_secret_file: empty"},
		"29:25: portals[0].client_secret_file: wanted a secret of 32 characters or more, got 0 characters",
	},
	"secret of two lines": {
		edit{"client_secret_file: portal-secret": "client_secret_file: two-lines"},
		"29:25: portals[0].client_secret_file: wanted a secret of one line, in ASCII without spaces, got something else",
	},
	"secret of one character": {
		edit{"client_secret_file: portal-secret": "client_secret_file: repeated"},
		"29:25: portals[0].client_secret_file: wanted a random secret, got the same few characters again and again",
	},
	"secret of few characters": {
		edit{"client_secret_file: portal-secret": "client_secret_file: few"},
		"29:25: portals[0].client_secret_file: wanted a random secret, got the same few characters again and again",
	},
	"secret out of an example": {
		edit{"client_secret_file: portal-secret": "client_secret_file: changed"},
		"29:25: portals[0].client_secret_file: wanted a random secret, got one out of an example",
	},
	"secret too long": {
		edit{"client_secret_file: portal-secret": "client_secret_file: large"},
		"29:25: portals[0].client_secret_file: wanted a readable file of at most 4 KiB that not everybody may read (chmod o=), got a larger one",
	},
	"secret of another": {
		edit{"client_secret_file: portal-secret": "client_secret_file: clinic-secret"},
		"29:25: portals[0].client_secret_file: wanted a secret of its own, got that of providers[1].client_secret_file",
	},
	"a portal twice": {
		edit{"gateway:\n": "  - id: my-health\n    name: {en: A, cy: B}\n    redirect_uris: [https://a.example.org/]\n    trust: [P9.Cm]\ngateway:\n"},
		`31:9: portals[1].id: wanted an id of its own, got "my-health"`,
	},
	"no redirect URI": {
		edit{"[https://portal.example.nhs.uk/callback]": "[]"},
		"28:20: portals[0].redirect_uris: wanted one or more, each an https address, got an empty list",
	},
	"redirect URI over http": {
		edit{"[https://portal.example.nhs.uk/callback]": "[http://portal.example.nhs.uk/callback]"},
		`28:21: portals[0].redirect_uris[0]: wanted an https address, got "http://portal.example.nhs.uk/callback"`,
	},
	"redirect URI on loopback, unasked": {
		edit{"[https://portal.example.nhs.uk/callback]": "[http://127.0.0.1:8084/callback]"},
		`28:21: portals[0].redirect_uris[0]: wanted an https address, or insecure_loopback: true, got "http://127.0.0.1:8084/callback"`,
	},
	"redirect URI by pattern": {
		edit{"[https://portal.example.nhs.uk/callback]": "[https://*.example.nhs.uk/callback]"},
		`28:21: portals[0].redirect_uris[0]: wanted one exact address, as none is matched by pattern, got "https://*.example.nhs.uk/callback"`,
	},
	"redirect URI with a fragment": {
		edit{"[https://portal.example.nhs.uk/callback]": `["https://portal.example.nhs.uk/callback#a"]`},
		`28:21: portals[0].redirect_uris[0]: wanted an address without #, got "https://portal.example.nhs.uk/callback#a"`,
	},
	"redirect URI twice": {
		edit{"[https://portal.example.nhs.uk/callback]": "[https://portal.example.nhs.uk/callback, https://portal.example.nhs.uk/callback]"},
		`28:61: portals[0].redirect_uris[1]: wanted each once, got "https://portal.example.nhs.uk/callback" again`,
	},
	"redirect URI without host": {
		edit{"[https://portal.example.nhs.uk/callback]": "[/callback]"},
		`28:21: portals[0].redirect_uris[0]: wanted an absolute https address in ASCII, got "/callback"`,
	},
	"redirect URI of an app": {
		edit{"[https://portal.example.nhs.uk/callback]": "[org.example.app://callback]"},
		`28:21: portals[0].redirect_uris[0]: wanted an https address, got "org.example.app://callback"`,
	},
	"redirect URI of a script": {
		edit{"[https://portal.example.nhs.uk/callback]": `["javascript:alert(1)"]`},
		`28:21: portals[0].redirect_uris[0]: wanted an absolute https address in ASCII, got "javascript:alert(1)"`,
	},
	"return after log-out over http": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    post_logout_redirect_uris: [http://portal.example.nhs.uk/]"},
		`30:33: portals[0].post_logout_redirect_uris[0]: wanted an https address, got "http://portal.example.nhs.uk/"`,
	},
	"a portal without trust": {
		edit{"    client_secret_file: portal-secret\n    trust: [P9.Cp.Cd]\n": "    client_secret_file: portal-secret\n"},
		"26:5: portals[0].trust: wanted a list, each a vector such as P9.Cp.Cd, got nothing",
	},
	"a portal with an empty trust": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: []"},
		"30:12: portals[0].trust: wanted one or more, each a vector such as P9.Cp.Cd, got an empty list",
	},
	"a portal below P9": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P9.Cp.Cd, P5.Cp.Cd]"},
		"30:12: portals[0].lower_proof: wanted {reason, approved_by, until} beside a vector below P9, which opens no record, got P5.Cp.Cd without it",
	},
	"a portal at P0": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P0.Cp]"},
		"30:12: portals[0].lower_proof: wanted {reason, approved_by, until} beside a vector below P9, which opens no record, got P0.Cp without it",
	},
	"lower_proof over": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P5.Cm]\n    lower_proof: {reason: a, approved_by: b, until: 2026-11-20}"},
		`31:53: portals[0].lower_proof.until: wanted a day to come: who approved this must approve it anew, got "2026-11-20"`,
	},
	"lower_proof on its last day": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P5.Cm]\n    lower_proof: {reason: a, approved_by: b, until: 2026-11-21}"},
		"",
	},
	"lower_proof by nobody": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P5.Cm]\n    lower_proof: {}"},
		"31:18: portals[0].lower_proof.reason: wanted text, got nothing" + "\n" +
			"31:18: portals[0].lower_proof.approved_by: wanted text, got nothing" + "\n" +
			"31:18: portals[0].lower_proof.until: wanted a date such as 2027-06-30, got nothing",
	},
	"lower_proof of nothing": {
		edit{"portal-secret\n    trust: [P9.Cp.Cd]": "portal-secret\n    trust: [P9.Cm]\n    lower_proof: {reason: a, approved_by: b, until: 2027-06-30}"},
		"31:18: portals[0].lower_proof: wanted nothing, as trust names no vector below P9, got a mapping",
	},
	"a public portal without PKCE": {
		edit{"client_secret_file: portal-secret": "pkce: optional"},
		`29:11: portals[0].pkce: wanted required, as a portal without secret or keys proves itself by PKCE alone, got "optional"`,
	},
	"a portal's scope unknown": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    scopes: [openid, phones]"},
		`30:22: portals[0].scopes[1]: wanted one of openid, profile, email, phone, nhs_number, offline_access, did you mean phone, got "phones"`,
	},
	"a portal's scopes without openid": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    scopes: [profile]"},
		"30:13: portals[0].scopes: wanted openid among the scopes, got [profile]",
	},
	"a portal straight to nobody": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    provider: nhs-loggin"},
		`30:15: portals[0].provider: wanted the id of a provider: nhs-login or clinic, did you mean nhs-login, got "nhs-loggin"`,
	},
	"a portal of another algorithm": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    id_token_alg: none"},
		`30:19: portals[0].id_token_alg: wanted ES256 or RS256, got "none"`,
	},
	"an age below nothing": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    minimum_age: -1"},
		`30:18: portals[0].minimum_age: wanted whole years of 0 to 25, got "-1"`,
	},
	"an age beyond": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    minimum_age: 26"},
		`30:18: portals[0].minimum_age: wanted whole years of 0 to 25, got "26"`,
	},
	"log-out notices by plain http": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    backchannel_logout_uri: http://portal.example.nhs.uk/out"},
		`30:29: portals[0].backchannel_logout_uri: wanted an https address, got "http://portal.example.nhs.uk/out"`,
	},
	"client keys that are none": {
		edit{"client_secret_file: portal-secret": "client_jwks_file: rsa.pem"},
		"29:23: portals[0].client_jwks_file: wanted a key set (JWKS): a JSON object with keys, got something else",
	},
	"client keys beside a secret": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    client_jwks_uri: https://portal.example.nhs.uk/keys"},
		"30:22: portals[0].client_jwks_uri: wanted nothing beside client_secret_file, as a portal proves itself in one way, got a value",
	},
	"client keys by plain http": {
		edit{"client_secret_file: portal-secret": "client_jwks_uri: http://portal.example.nhs.uk/keys"},
		`29:22: portals[0].client_jwks_uri: wanted an https address, got "http://portal.example.nhs.uk/keys"`,
	},
	"a subject of no kind": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    subject: pair"},
		`30:14: portals[0].subject: wanted public or pairwise, did you mean pairwise, got "pair"`,
	},
	"a gateway's host that is a pattern": {
		edit{"host: login.example.nhs.uk": "host: \"*.example.nhs.uk\""},
		`33:13: gateway.hosts[0].host: wanted a host such as letters.example.nhs.uk, without scheme, path and *, got "*.example.nhs.uk"`,
	},
	"a gateway's host that is an address": {
		edit{"host: login.example.nhs.uk": "host: https://letters.example.nhs.uk"},
		`33:13: gateway.hosts[0].host: wanted a host such as letters.example.nhs.uk, without scheme, path and *, got "https://letters.example.nhs.uk"`,
	},
	"a gateway's host with https' own port": {
		edit{"host: login.example.nhs.uk": "host: letters.example.nhs.uk:443"},
		`33:13: gateway.hosts[0].host: wanted a host without https' own port, got "letters.example.nhs.uk:443"`,
	},
	"acting, to come": {
		edit{"client_secret_file: portal-secret": "client_secret_file: portal-secret\n    acting: supported"},
		`30:13: portals[0].acting: wanted refused or nothing: this version lets nobody act for somebody else, got "supported"`,
	},
	"a gateway without hosts": {
		edit{"  hosts:\n    - host: login.example.nhs.uk\n      rules:\n        - {path: /, trust: [P9.Cp.Cd]}\n        - {path: /leaflets/, public: true}\n": "  hosts: []\n"},
		"32:10: gateway.hosts: wanted one or more, each a host, got an empty list",
	},
	"a host without rules": {
		edit{"      rules:\n        - {path: /, trust: [P9.Cp.Cd]}\n        - {path: /leaflets/, public: true}\n": "      rules: []\n"},
		"34:14: gateway.hosts[0].rules: wanted one or more, each a rule, got an empty list",
	},
	"a rule below P9": {
		edit{"{path: /, trust: [P9.Cp.Cd]}": "{path: /, trust: [P5.Cp.Cd]}"},
		"35:28: gateway.hosts[0].rules[0].lower_proof: wanted {reason, approved_by, until} beside a vector below P9, which opens no record, got P5.Cp.Cd without it",
	},
	"a rule of nothing": {
		edit{"{path: /, trust: [P9.Cp.Cd]}": "{path: /}"},
		"35:11: gateway.hosts[0].rules[0].trust: wanted a list, each a vector such as P9.Cp.Cd, got nothing",
	},
	"a rule both public and not": {
		edit{"{path: /leaflets/, public: true}": "{path: /leaflets/, public: true, trust: [P9.Cm]}"},
		"36:51: gateway.hosts[0].rules[1].trust: wanted nothing beside public: true, got a value",
	},
	"a rule that is not public": {
		edit{"{path: /leaflets/, public: true}": "{path: /leaflets/, public: false}"},
		"36:11: gateway.hosts[0].rules[1].trust: wanted a list, each a vector such as P9.Cp.Cd, got nothing",
	},
	"a path without slash": {
		edit{"path: /leaflets/": "path: leaflets/"},
		`36:18: gateway.hosts[0].rules[1].path: wanted a plain path such as /results/: A-Z, a-z, 0-9, - . _ ~ between single slashes, got "leaflets/"`,
	},
	"a path with dots": {
		edit{"path: /leaflets/": "path: /a/../leaflets/"},
		`36:18: gateway.hosts[0].rules[1].path: wanted a plain path such as /results/, without a dot at the end of a part, got "/a/../leaflets/"`,
	},
	"a path with two slashes": {
		edit{"path: /leaflets/": "path: //leaflets/"},
		`36:18: gateway.hosts[0].rules[1].path: wanted a plain path such as /results/: A-Z, a-z, 0-9, - . _ ~ between single slashes, got "//leaflets/"`,
	},
	"a path with an escape": {
		edit{"path: /leaflets/": "path: /leaf%2flets/"},
		`36:18: gateway.hosts[0].rules[1].path: wanted a plain path such as /results/: A-Z, a-z, 0-9, - . _ ~ between single slashes, got "/leaf%2flets/"`,
	},
	"a path by pattern": {
		edit{"path: /leaflets/": "path: /leaflets/*"},
		`36:18: gateway.hosts[0].rules[1].path: wanted a plain path such as /results/: A-Z, a-z, 0-9, - . _ ~ between single slashes, got "/leaflets/*"`,
	},
	"a path that ends in a dot": {
		edit{"path: /leaflets/": "path: /leaflets./a"},
		`36:18: gateway.hosts[0].rules[1].path: wanted a plain path such as /results/, without a dot at the end of a part, got "/leaflets./a"`,
	},
	"a rule twice": {
		edit{"path: /leaflets/, public: true": "path: /leaflets, public: true}\n        - {path: /leaflets/, public: true"},
		`37:11: gateway.hosts[0].rules[2]: wanted one rule for a path and method, got another one for "/leaflets/"`,
	},
	"a rule twice for a method": {
		edit{"path: /leaflets/, public: true": "path: /leaflets/, methods: [GET, POST], public: true}\n        - {path: /leaflets/, methods: [POST], trust: [P9.Cm]"},
		`37:11: gateway.hosts[0].rules[2]: wanted one rule for a path and method, got another one for "/leaflets/"`,
	},
	"a method in small letters": {
		edit{"path: /leaflets/, public: true": "path: /leaflets/, methods: [get], public: true"},
		`36:40: gateway.hosts[0].rules[1].methods[0]: wanted one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, did you mean GET, got "get"`,
	},
	"a max_age too short to be met": {
		edit{"path: /, trust: [P9.Cp.Cd]": "path: /, trust: [P9.Cp.Cd], max_age: 10s"},
		`35:49: gateway.hosts[0].rules[0].max_age: wanted a time of 1m to 12h, such as 90s, 30m, 12h or 30d, got "10s"`,
	},
	"an activity of no kind": {
		edit{"path: /, trust: [P9.Cp.Cd]": "path: /, trust: [P9.Cp.Cd], activity: none"},
		`35:50: gateway.hosts[0].rules[0].activity: wanted true or false, got "none"`,
	},
	"a trusted proxy by address, which may stand": {
		edit{"[10.1.0.0/16]": `[10.1.0.1, "::1"]`},
		"",
	},
	"a help desk of three digits, which may stand": {
		edit{"organisation:": "organisation:\n  help: {phone: \"111\"}"},
		"",
	},
	"settings without effect, which may stand": {
		edit{"client_key: rsa.pem": "client_key: rsa.pem\n    passkeys: false", "keys: /var": "redis: []\nsign_up: {enabled: false}\nkeys: /var", "client_secret_file: portal-secret": "client_secret_file: portal-secret\n    subject: public\n    acting: refused"},
		"",
	},
	"two answers to one question, by method, which may stand": {
		edit{"path: /leaflets/, public: true": "path: /leaflets/, methods: [GET], public: true}\n        - {path: /leaflets/, methods: [POST], trust: [P9.Cm], activity: no, max_age: 10m"},
		"",
	},
	"a public portal, which may stand": {
		edit{"    client_secret_file: portal-secret\n": ""},
		"",
	},
	"no gateway, which may stand": {
		edit{"gateway:\n  hosts:\n    - host: login.example.nhs.uk\n      rules:\n        - {path: /, trust: [P9.Cp.Cd]}\n        - {path: /leaflets/, public: true}\n": ""},
		"",
	},
	"a key at a plain provider, which may stand": {
		edit{"client_secret_file: clinic-secret": "client_key: p256.pem\n    kid: first"},
		"",
	},
	"operations on the port of every address": {
		edit{"listen: 127.0.0.1:8080": `listen: ":9090"`},
		`3:20: operations_listen: wanted another port than listen: operations never answer patients, got "127.0.0.1:9090"`,
	},
	"a key set, once more": {
		edit{"keys: /var/lib/dilys/keys": "keys: /var/lib/dilys/keys\nlimits: {networks: [], logins: 5}"},
		"7:24: limits.logins: wanted one of send_cooldown, send_per_address, send_per_flow, send_per_network, send_per_block, send_per_service, send_reserve, code_guesses, code_guesses_per_day, code_guesses_ever, password_guesses, password_lock, password_lock_most, register_lookups, networks, got an unknown key",
	},
	"http on a host that only looks like loopback": {
		edit{"https://id.example.org/": "http://localhost.example.org/"},
		`22:13: providers[1].issuer: wanted an https address, got "http://localhost.example.org/"`,
	},
	"http on an address in other digits": {
		edit{"https://id.example.org/": "http://0x7f000001/"},
		`22:13: providers[1].issuer: wanted an https address, got "http://0x7f000001/"`,
	},
	"an issuer twice as long as any": {
		edit{"https://id.example.org/": "https://id.example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		`22:13: providers[1].issuer: wanted an absolute https address in ASCII, got "https://id.example.org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"`,
	},
	"a document that is a list": {
		edit{"public_url: https://login.example.nhs.uk": "- a\n---\npublic_url: https://login.example.nhs.uk"},
		"3:1: yaml: wanted one document, got another one",
	},
}
