// Package exampleportal is a portal as its own team would write it: an ordinary
// OpenID Connect client of Dilys that logs patients in and shows what it learned
// of them. Its code is meant to be read and borrowed from.
//
// It owns its cookies, its sessions and its pages, and keeps all of them in
// memory. It never touches the rooms of Dilys: what it knows of a patient comes by
// discovery, tokens and userinfo, as it comes to any portal. From Dilys it takes
// the words for trust and secrets alone.
package exampleportal
