"""Launcher of the browser demo: drop an image, read classes, similar notes and a note; type a note and get images.

    python app.py                                             # the embedded starter, on http://127.0.0.1:7860
    DERMNOTE_MODEL=org/name@revision python app.py            # a bundle of the Hugging Face Hub
    OPENAI_API_KEY=... python app.py                          # notes by a language model too
    OPENAI_BASE_URL=http://127.0.0.1:8000/v1 DERMNOTE_LLM=medgemma python app.py

| variable                | meaning                                                  | default                      |
|-------------------------|----------------------------------------------------------|------------------------------|
| `DERMNOTE_MODEL`        | bundle: a folder, `org/name` or `org/name@revision`      | the embedded starter         |
| `DERMNOTE_MODELS`       | other bundles visitors may load, separated by commas     | any on your machine          |
| `OPENAI_API_KEY`        | key of the language model                                | notes by template only       |
| `OPENAI_BASE_URL`       | address of an OpenAI-compatible server                   | OpenAI                       |
| `DERMNOTE_LLM`          | name of the language model                               | `gpt-4o-mini`                |
| `DERMNOTE_LLM_PER_HOUR` | requests to it per visitor (by address) and hour         | no limit; 20 on a Space      |
| `DERMNOTE_LLM_MAX_USD`  | USD per day (UTC), all visitors together; reserved first | no limit                     |
| `DERMNOTE_LLM_PRICES`   | prices of models, as in `dermnote/llm/prices.yaml`       | that file                    |
| `DERMNOTE_AUTH`         | one `name:password`                                      | no login                     |
| `DERMNOTE_AUTH_FILE`    | file with one `name:password` per line                   | no login                     |
| `GRADIO_SERVER_NAME`    | address to listen on, `0.0.0.0` for all                  | this machine; all on a Space |
| `GRADIO_SERVER_PORT`    | port                                                     | first free from 7860         |
| `GRADIO_TEMP_DIR`       | parent of the folder of uploads                          | the system's                 |

Research use only, never a diagnosis.
"""

from __future__ import annotations

import sys

from dermnote.app.launch import main

if __name__ == "__main__":
    sys.exit(main())
