"""`python -m models.core.runs`: the supervisor. Named so that its workers do not import it again as `__mp_main__`."""

from models.core.runs import supervisor

if __name__ == "__main__":
    supervisor.main()
