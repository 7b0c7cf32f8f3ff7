// Package envoyconfig reads the configuration that an Envoy runs with, and says
// where it is not what remit's promises need.
//
// The configuration is Envoy's own account of it, the admin interface's
// /config_dump?include_eds, so that it does not matter whether a file, xDS or a
// mesh made it. [Parse] reads it; [Config.Examine] follows every connection
// manager, route, filter, access log and cluster that has to do with remit and
// holds each against tables of rules. What a rule wants is what
// integration/envoy/envoy.yaml has, with the reason that stands beside it there.
package envoyconfig
