package attributes

import (
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// A shape names the members of a message of A2A, and the shapes of those that
// are messages themselves. A member that is not named is left alone: agents
// ignore what they do not know (A2A 1.0, section 5.7), and the policy sees it.
type shape map[string]shape

var (
	partShape = shape{
		"text": nil, "raw": nil, "url": nil, "data": nil, "metadata": nil, "filename": nil, "mediaType": nil,
	}
	messageShape = shape{
		"messageId": nil, "contextId": nil, "taskId": nil, "role": nil, "parts": partShape, "metadata": nil,
		"extensions": nil, "referenceTaskIds": nil,
	}
	pushShape = shape{
		"tenant": nil, "id": nil, "taskId": nil, "url": nil, "token": nil,
		"authentication": {"scheme": nil, "credentials": nil},
	}
	sendShape = shape{
		"tenant": nil, "message": messageShape, "metadata": nil,
		"configuration": {
			"acceptedOutputModes": nil, "taskPushNotificationConfig": pushShape, "historyLength": nil, "returnImmediately": nil,
		},
	}
)

// a2aShapes are the requests by their method (a2a.proto).
var a2aShapes = map[string]shape{
	"SendMessage":          sendShape,
	"SendStreamingMessage": sendShape,
	"GetTask":              {"tenant": nil, "id": nil, "historyLength": nil},
	"CancelTask":           {"tenant": nil, "id": nil, "metadata": nil},
	"SubscribeToTask":      {"tenant": nil, "id": nil},
	"ListTasks": {
		"tenant": nil, "contextId": nil, "status": nil, "pageSize": nil, "pageToken": nil, "historyLength": nil,
		"statusTimestampAfter": nil, "includeArtifacts": nil,
	},
	"CreateTaskPushNotificationConfig": pushShape,
	"GetTaskPushNotificationConfig":    {"tenant": nil, "taskId": nil, "id": nil},
	"DeleteTaskPushNotificationConfig": {"tenant": nil, "taskId": nil, "id": nil},
	"ListTaskPushNotificationConfigs":  {"tenant": nil, "taskId": nil, "pageSize": nil, "pageToken": nil},
	"GetExtendedAgentCard":             {"tenant": nil},
}

// checkShape refuses a member that some readers take for another one: readers
// of protobuf's JSON form take context_id for contextId, and many ignore case.
// It returns the rule that is broken.
func checkShape(v value.Value, s shape) (rule string) {
	for _, item := range v.Items() {
		if item.Kind() != value.Map {
			return "a list of messages holds something else"
		}
		if rule := checkShape(item, s); rule != "" {
			return rule
		}
	}
	v.Range(func(name string, member value.Value) bool {
		below, named := s[name]
		switch {
		case !named:
			rule = s.alias(name)
		case below != nil:
			rule = checkMember(name, member, below)
		case a2aNames[name] && member.Kind() != value.String && member.Kind() != value.Null:
			rule = name + " is not what A2A says it is"
		}
		return rule == ""
	})
	return rule
}

func checkMember(name string, member value.Value, below shape) string {
	kind := member.Kind()
	if name == "parts" && kind != value.Array || name != "parts" && kind != value.Map {
		return name + " is not what A2A says it is"
	}
	return checkShape(member, below)
}

// a2aNames are the members that hold a name of a list, which readers of
// protobuf's JSON form take a number for as well.
var a2aNames = map[string]bool{"role": true, "status": true}

// a2aDrafts are what drafts of A2A 1.0 called a member, or had it in: agents made
// with the official SDK for Go (2.0) look for them there.
var a2aDrafts = map[string]string{"pushnotificationconfig": "taskPushNotificationConfig", "config": "url"}

func (s shape) alias(name string) string {
	plain := strings.ReplaceAll(name, "_", "")
	if now := a2aDrafts[strings.ToLower(plain)]; now != "" {
		plain = now
	}
	for member := range s {
		if strings.EqualFold(plain, member) {
			return "a member is another spelling of " + member
		}
	}
	return ""
}
