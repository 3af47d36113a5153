# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_iflow2api_global_optspecs
    string join \n config= v/verbose q/quiet log-format= color= h/help V/version
end

function __fish_iflow2api_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_iflow2api_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_iflow2api_using_subcommand
    set -l cmd (__fish_iflow2api_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c iflow2api -n "__fish_iflow2api_needs_command" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_needs_command" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_needs_command" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_needs_command" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -s V -l version -d 'Print version'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -f -a "serve" -d 'Serve both APIs on this machine'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -f -a "chat" -d 'Ask a model, or talk with it'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -f -a "auth" -d 'Log in at providers, and look after keys and logins'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -f -a "models" -d 'List, try and explain models'
complete -c iflow2api -n "__fish_iflow2api_needs_command" -f -a "config" -d 'Show and change settings'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l host -d 'Listen on this address [default: 127.0.0.1]' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l port -d 'Listen on this port, 0 for a free one [default: 8000]' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l upstream -d 'Send calls to this upstream: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -l demo -d 'Answer from a built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s m -l model -d 'Ask this model [default: `default_model`, else the first that the upstream lists]' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s s -l system -d 'Give the model this system prompt' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s p -l prompt -d 'Give the model the system prompt that the setting `prompt.NAME` holds' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l thinking -d 'What to do with the model\'s thoughts; they go to stderr [default: show on a terminal, else hide]' -r -f -a "show\t'Show them on stderr'
hide\t'Leave them out'
off\t'Ask the model not to think'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l render -d 'Whether Markdown is rendered [default: on a terminal]' -r -f -a "auto\t'On a terminal'
always\t'In a pipe too'
never\t'Leave it as the model wrote it'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l max-tokens -d 'Bound the answer to this many tokens, thoughts included' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s f -l file -d 'Put this file before the prompt: a text, or a PNG, JPEG, GIF or WebP image; can be repeated' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l schema -d 'Have the answer fit this JSON schema' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l conversation -d 'Go on with this conversation, by its id or the beginning of it' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l show -d 'Print a conversation' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l rm -d 'Forget a conversation' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l export -d 'Print a conversation as Markdown, or with --json as JSON' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l upstream -d 'Ask this upstream: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l no-stream -d 'Wait for the whole answer'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l json -d 'Print one JSON object: text, reasoning, usage, and how it came about'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s x -l extract -d 'Print only the first block of code of the answer'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l extract-last -d 'Print only the last block of code of the answer'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l usage -d 'Say on stderr what each answer has cost'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l dry-run -d 'Print what would be sent, and send nothing'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s c -l continue -d 'Go on with the last conversation'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l no-save -d 'Do not keep this conversation'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l list -d 'List the conversations that are kept, the newest first'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand chat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -l no-input -d 'Never ask anything'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -f -a "login" -d 'Log in at a provider, or store a key of it'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -f -a "status" -d 'Show what is stored, and whether it is still good'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -f -a "refresh" -d 'Renew logins now'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -f -a "switch" -d 'Use another account of a provider'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and not __fish_seen_subcommand_from login status refresh switch logout" -f -a "logout" -d 'Forget a key or a login, and take its tokens back where the provider can'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l port -d 'Wait for the browser on this port' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l profile -d 'Keep it as this account, beside others of the provider' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l with-token -d 'Store a key, read from stdin'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l no-check -d 'Store the key without trying it'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l no-browser -d 'Open no browser, only show the address'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l device -d 'Log in on another device, with a code'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -l no-input -d 'Never ask anything'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -l no-input -d 'Never ask anything'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -l no-input -d 'Never ask anything'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -l no-input -d 'Never ask anything'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from switch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -l profile -d 'This account, rather than the one in use' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -l all -d 'All accounts of all providers'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -l no-input -d 'Never ask anything'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand auth; and __fish_seen_subcommand_from logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -l upstream -d 'Ask this upstream first: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -f -a "list" -d 'List the models that can be asked for'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -f -a "show" -d 'Show what is known of a model'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -f -a "test" -d 'Try a model: text, stream, tool call, thinking on and off, both APIs'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -f -a "refresh" -d 'Ask every upstream for its list now'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and not __fish_seen_subcommand_from list show test refresh resolve" -f -a "resolve" -d 'Show where a name leads and what would be sent, without sending it'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -l upstream -d 'Ask this upstream first: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -l upstream -d 'Ask this upstream first: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -l upstream -d 'Ask this upstream first: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -l upstream -d 'Ask this upstream first: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from refresh" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l effort -d 'How hard the caller wants the model to think: none, low, medium, high, xhigh, max, auto, or a number of tokens' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l face -d 'The API that the caller speaks' -r -f -a "openai\t'/v1/chat/completions'
anthropic\t'/v1/messages'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l upstream -d 'Ask this upstream first: the name of one that is set up, or a base URL' -r
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -l demo -d 'Ask the built-in demo upstream, without any account'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand models; and __fish_seen_subcommand_from resolve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -f -a "show" -d 'Show all settings and where each comes from'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -f -a "get" -d 'Print the value of one setting'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -f -a "set" -d 'Write one setting into the file'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -f -a "unset" -d 'Take one setting, or a whole `upstream.NAME`, out of the file'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and not __fish_seen_subcommand_from show get set unset path" -f -a "path" -d 'Print where the file is'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -l json -d 'Print JSON, with the origin'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -l show-key -d 'Print a secret in the open'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from set" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from set" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from set" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from unset" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from unset" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from unset" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from unset" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from unset" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from path" -l config -d 'Read this configuration file instead of the user\'s own' -r -F
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from path" -l log-format -d 'How the log is written' -r -f -a "text\t'Lines for people'
json\t'One JSON object a line'"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from path" -l color -d 'When to colour' -r -f -a "auto\t''
always\t''
never\t''"
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from path" -s v -l verbose -d 'Log more; twice for all'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Log only errors'
complete -c iflow2api -n "__fish_iflow2api_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
