
use builtin;
use str;

set edit:completion:arg-completer[iflow2api] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'iflow2api'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'iflow2api'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Serve both APIs on this machine'
            cand chat 'Ask a model, or talk with it'
            cand models 'List, try and explain models'
            cand config 'Show and change settings'
        }
        &'iflow2api;serve'= {
            cand --host 'Listen on this address [default: 127.0.0.1]'
            cand --port 'Listen on this port, 0 for a free one [default: 8000]'
            cand --upstream 'Send calls to this upstream: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --demo 'Answer from a built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;chat'= {
            cand -m 'Ask this model [default: `default_model`, else the first that the upstream lists]'
            cand --model 'Ask this model [default: `default_model`, else the first that the upstream lists]'
            cand -s 'Give the model this system prompt'
            cand --system 'Give the model this system prompt'
            cand --thinking 'What to do with the model''s thoughts; they go to stderr [default: show on a terminal, else hide]'
            cand --max-tokens 'Bound the answer to this many tokens, thoughts included'
            cand --upstream 'Ask this upstream: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --no-stream 'Wait for the whole answer'
            cand --json 'Print one JSON object: text, reasoning, usage, and how it came about'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;models'= {
            cand --upstream 'Ask this upstream first: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'List the models that can be asked for'
            cand show 'Show what is known of a model'
            cand test 'Try a model: text, stream, tool call, thinking on and off, both APIs'
            cand refresh 'Ask every upstream for its list now'
            cand resolve 'Show where a name leads and what would be sent, without sending it'
        }
        &'iflow2api;models;list'= {
            cand --upstream 'Ask this upstream first: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;models;show'= {
            cand --upstream 'Ask this upstream first: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;models;test'= {
            cand --upstream 'Ask this upstream first: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;models;refresh'= {
            cand --upstream 'Ask this upstream first: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;models;resolve'= {
            cand --effort 'How hard the caller wants the model to think: none, low, medium, high, xhigh, max, auto, or a number of tokens'
            cand --face 'The API that the caller speaks'
            cand --upstream 'Ask this upstream first: the name of one that is set up, or a base URL'
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand --demo 'Ask the built-in demo upstream, without any account'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;config'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand show 'Show all settings and where each comes from'
            cand get 'Print the value of one setting'
            cand set 'Write one setting into the file'
            cand unset 'Take one setting, or a whole `upstream.NAME`, out of the file'
            cand path 'Print where the file is'
        }
        &'iflow2api;config;show'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;config;get'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand --json 'Print JSON, with the origin'
            cand --show-key 'Print a secret in the open'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;config;set'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;config;unset'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'iflow2api;config;path'= {
            cand --config 'Read this configuration file instead of the user''s own'
            cand --log-format 'How the log is written'
            cand --color 'When to colour'
            cand -v 'Log more; twice for all'
            cand --verbose 'Log more; twice for all'
            cand -q 'Log only errors'
            cand --quiet 'Log only errors'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
