package outside

import (
	"net/netip"
	"testing"
)

func TestJudgeAddress(t *testing.T) {
	for address, row := range map[string]struct{ refused, refusedLoopback bool }{
		"203.0.113.7":              {false, false},
		"2001:db8::7":              {false, false},
		"10.1.2.3":                 {false, false}, // an organisation's own provider
		"192.168.7.7":              {false, false},
		"fd12:3456::1":             {false, false},
		"127.0.0.1":                {true, false},
		"127.8.8.8":                {true, false},
		"::1":                      {true, false},
		"::ffff:127.0.0.1":         {true, false},
		"64:ff9b::127.0.0.1":       {true, false},
		"169.254.169.254":          {true, true},
		"::ffff:169.254.169.254":   {true, true},
		"64:ff9b::169.254.169.254": {true, true},
		"::169.254.169.254":        {true, true},
		"fe80::1":                  {true, true},
		"fe80::1%eth0":             {true, true},
		"fd00:ec2::254":            {true, true},
		"100.100.100.200":          {true, true},
		"168.63.129.16":            {true, true},
		"0.0.0.0":                  {true, true},
		"0.1.2.3":                  {true, true},
		"::":                       {true, true},
		"224.0.0.1":                {true, true},
		"255.255.255.255":          {true, true},
		"ff02::1":                  {true, true},
	} {
		a := netip.MustParseAddr(address)
		if got := judgeAddress(a, false) != nil; got != row.refused {
			t.Errorf("%s: wanted refused %v, got %v", address, row.refused, got)
		}
		if got := judgeAddress(a, true) != nil; got != row.refusedLoopback {
			t.Errorf("%s with loopback allowed: wanted refused %v, got %v", address, row.refusedLoopback, got)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	for raw, row := range map[string]struct{ strict, loopback bool }{
		"https://login.example.org/token":      {true, true},
		"https://login.example.org:8443/t?a=b": {true, true},
		"http://login.example.org/token":       {false, false},
		"http://127.0.0.1:8082/token":          {false, true},
		"http://localhost:8082/token":          {false, true},
		"http://[::1]:8082/token":              {false, true},
		"http://localhost.example.org/token":   {false, false},
		"http://127.0.0.1@example.org/token":   {false, false},
		"http://169.254.169.254/latest":        {false, false},
		"https://user:pass@example.org/token":  {false, false},
		"https://login.example.org/token#f":    {false, false},
		"https:///token":                       {false, false},
		"https://:443/token":                   {false, false},
		"//login.example.org/token":            {false, false},
		"/token":                               {false, false},
		"file:///etc/passwd":                   {false, false},
		"gopher://example.org/":                {false, false},
		"javascript:alert(1)":                  {false, false},
		"https://exa mple.org/":                {false, false},
		"":                                     {false, false},
	} {
		if got := CheckEndpoint(raw, false) == nil; got != row.strict {
			t.Errorf("%q: wanted %v, got %v", raw, row.strict, got)
		}
		if got := CheckEndpoint(raw, true) == nil; got != row.loopback {
			t.Errorf("%q with loopback allowed: wanted %v, got %v", raw, row.loopback, got)
		}
	}
}

func TestClientHeedsNoEnvironment(t *testing.T) {
	if transport := NewClient(1, false).Transport.(bounded); transport.Proxy != nil {
		t.Error("proxy: wanted none from the environment")
	}
}
